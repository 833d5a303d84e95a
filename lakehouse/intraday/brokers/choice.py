"""Which broker an address names."""

from collections.abc import Callable
from urllib.parse import urlsplit

from lakehouse.intraday.brokers.kafka import Kafka
from lakehouse.intraday.brokers.protocol import Broker
from lakehouse.intraday.brokers.redis_streams import RedisStreams
from lakehouse.settings import BROKER_SCHEMES, Settings

_BROKERS: dict[str, Callable[[Settings], Broker]] = {
    "redis": RedisStreams,
    "rediss": RedisStreams,
    "unix": RedisStreams,
    "kafka": Kafka,
    "kafkas": Kafka,
}
if set(_BROKERS) != set(BROKER_SCHEMES):  # the settings refuse an address of any other scheme
    raise AssertionError(f"schemes {sorted(BROKER_SCHEMES)}, brokers {sorted(_BROKERS)}")


def connect(settings: Settings) -> Broker:
    """The broker that C360_BROKER_URL names; whether it answers is seen when it is used."""
    return _BROKERS[urlsplit(settings.broker_url.get_secret_value()).scheme](settings)
