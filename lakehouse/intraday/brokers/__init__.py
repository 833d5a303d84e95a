"""Message brokers as sources within the day: their events become micro-batches in the landing folder, as files do."""

from lakehouse.intraday.brokers.choice import connect
from lakehouse.intraday.brokers.protocol import Broker, BrokerAway

__all__ = ["Broker", "BrokerAway", "connect"]
