"""Kafka: a message per change, its key the row's, so that a row's changes stay in order.

The producer is idempotent: what it repeats by itself the brokers hold once. A batch that is sent again, after a crash,
comes again, with equal ids; a reader takes each id once.
"""

from collections.abc import Generator
from contextlib import contextmanager

from confluent_kafka import KafkaException, Producer
from pydantic import SecretStr
from pydantic_core import to_json

from lakehouse.activation.contract import Activation, KafkaTopic, secret_of
from lakehouse.activation.targets import Batch, Deliver, Unreachable, Unusable
from lakehouse.intraday.brokers import kafka
from lakehouse.settings import Settings

SECONDS = 30.0  # until the brokers have a batch


@contextmanager
def opened(settings: Settings, activation: Activation) -> Generator[Deliver]:
    """Every message has the header ``id``, by which a reader takes a change once."""
    target = activation.target
    assert isinstance(target, KafkaTopic)
    url = SecretStr(secret_of(settings, target.credential))
    if not kafka.is_address(url):
        raise Unusable(f"secret {target.credential} is no address of Kafka", "write kafka://host:9092 or kafkas://…")
    properties, _ = kafka.properties_of(url)
    try:
        producer = Producer(properties | {"enable.idempotence": True, "message.timeout.ms": int(1000 * SECONDS)})
    except KafkaException as error:
        raise Unusable(f"secret {target.credential}: {error.args[0].str()}", "correct it") from error

    def deliver(batch: Batch) -> list[int]:
        messages = (
            kafka.Outgoing(to_json(event), to_json(event["key"]), {"id": event["id"], "change": event["change"]})
            for event in batch.events
        )
        if reason := kafka.produce(producer, target.topic, messages, SECONDS):
            raise Unreachable(f"topic {target.topic}: {reason}")
        return []

    yield deliver
