"""Which broker an address names."""

from collections.abc import Callable
from urllib.parse import urlsplit

from lakehouse.intraday.brokers import kafka, redis_streams
from lakehouse.intraday.brokers.protocol import Broker
from lakehouse.settings import BROKER_SCHEMES, Settings

_BROKERS: dict[str, Callable[[Settings], Broker]] = {
    **dict.fromkeys(redis_streams.SCHEMES, redis_streams.RedisStreams),
    **dict.fromkeys(kafka.SCHEMES, kafka.Kafka),
}
if set(_BROKERS) != set(BROKER_SCHEMES):  # the settings refuse an address of any other scheme
    raise AssertionError(f"schemes {sorted(BROKER_SCHEMES)}, brokers {sorted(_BROKERS)}")


def connect(settings: Settings) -> Broker:
    """The broker that C360_BROKER_URL names; whether it answers is seen when it is used."""
    return _BROKERS[urlsplit(settings.broker_url.get_secret_value()).scheme](settings)
