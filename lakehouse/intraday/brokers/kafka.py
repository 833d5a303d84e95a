"""Kafka: a feed has the topic ``intraday.<feed>``, with any number of partitions; a message's value is the event.

The address is ``kafka://host:9092[,host:9092][/prefix][?property=value&...]``: ``kafkas`` for TLS, a user and password
before the hosts for SASL, another prefix than ``intraday`` for the topics, and any property of librdkafka
(``sasl.mechanism``, ``ssl.ca.location``; https://docs.confluent.io/platform/current/clients/librdkafka).

The loop reads assigned partitions without a consumer group. The offsets at which it goes on lie in the lake, beside the
events, and are written after a micro-batch has landed: what a crash comes between lands again, and counts once.
"""

import json
import logging
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from urllib.parse import parse_qsl, unquote, urlsplit

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from pydantic import SecretStr

from lakehouse.intraday.brokers import protocol
from lakehouse.lake import appearing
from lakehouse.settings import Settings

SCHEMES = ("kafka", "kafkas")
PREFIX = "intraday"
_FETCH_WAIT = 100  # milliseconds for which a server holds a request when there is nothing new
_NO_LOG = 0  # the client's own lines, several a second while a server is away: what fails is raised

Properties = dict[str, str | int | bool]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Read:
    """A message, or the end of a partition: the offset that its next message will have."""

    partition: int
    offset: int
    key: bytes
    value: bytes | None
    is_end: bool

    @property
    def place(self) -> dict[str, str]:
        """What identifies a message that has no value."""
        key = self.key.decode(errors="backslashreplace")
        return {"partition": str(self.partition), "offset": str(self.offset), "key": key}


@dataclass(frozen=True)
class Outgoing:
    """A message to be sent."""

    value: bytes
    key: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Kafka:
    """The brokers at ``kafka://`` or ``kafkas://`` (TLS)."""

    def __init__(self, settings: Settings) -> None:
        self.landing, self.lake = settings.landing, settings.lake
        self.properties, self.prefix = properties_of(settings.broker_url)
        self.readers: dict[str, _Reader] = {}

    def land(self, feed: str) -> int:
        """Write what has come of the feed, then where to go on; returns the number of messages."""
        count = 0
        with _answering():
            reader = self._reader(feed)
            for _ in range(protocol.MOST_READS):
                messages = reader.read(protocol.READ)
                if not messages:
                    break
                lines = (protocol.line(message.value, message.place) for message in messages)
                protocol.write_batch(self.landing, feed, _name(messages), lines)
                reader.advance(messages)
                self._save(feed, reader.offsets)
                count += len(messages)
        return count

    def waiting(self, feed: str) -> int | None:
        """Messages of the feed that have not landed yet."""
        with _answering():
            return _Reader(self.properties, self.topic(feed), self._saved(feed)).lag()

    def send(self, feed: str, events: Iterable[str]) -> None:
        """Produce the events; each is acknowledged by all replicas in sync."""
        with _answering():
            producer = Producer({**self.properties, "enable.idempotence": True})
            messages = (Outgoing(event.encode()) for event in events)
            if reason := produce(producer, self.topic(feed), messages, protocol.TIMEOUT):
                raise protocol.BrokerAway(reason)

    def server(self) -> str:
        """Kind of what answers, and how many brokers it has."""
        with _answering():
            count = len(Producer(self.properties).list_topics(timeout=protocol.TIMEOUT).brokers)
        return f"Kafka, {count} {'broker' if count == 1 else 'brokers'}"

    def close(self) -> None:
        """End the connections."""
        while self.readers:
            self.readers.popitem()[1].consumer.close()

    def topic(self, feed: str) -> str:
        """The topic that has the feed's events."""
        return f"{self.prefix}.{feed}"

    def _reader(self, feed: str) -> "_Reader":
        if feed not in self.readers:
            self.readers[feed] = _Reader(self.properties, self.topic(feed), self._saved(feed))
        self.readers[feed].follow()
        return self.readers[feed]

    def _saved(self, feed: str) -> dict[int, int]:
        path = self._path(feed)
        if not path.exists():
            return {}
        offsets = json.loads(path.read_text()).get(self.topic(feed), {})
        return {int(partition): offset for partition, offset in offsets.items()}

    def _save(self, feed: str, offsets: dict[int, int]) -> None:
        with appearing(self._path(feed)) as temporary:
            temporary.write_text(json.dumps({self.topic(feed): offsets}))

    def _path(self, feed: str) -> Path:
        """The file of the offsets, by topic and partition, at which reading goes on."""
        return self.lake / "intraday" / feed / "kafka_offsets.json"


class _Reader:
    """The partitions of a topic, from given offsets on."""

    def __init__(self, properties: Properties, topic: str, offsets: dict[int, int]) -> None:
        self.topic = topic
        self.offsets = offsets  # by partition: the first message that has not landed
        self.partitions: set[int] = set()
        self.unread: set[int] = set()  # partitions whose first message has not come
        self.ends: dict[int, int] = {}  # by partition that is read to its end: the offset there
        self.consumer = Consumer(
            {
                "group.id": "c360",  # the client asks for one; it is not used
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": _FETCH_WAIT,
                **properties,
            }
        )

    def follow(self) -> None:
        """Assign the partitions that the topic has now; a topic that is not there yet has none."""
        about = self.consumer.list_topics(self.topic, timeout=protocol.TIMEOUT).topics[self.topic]
        if about.error and about.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaException(about.error)
        partitions = set(about.partitions)
        if partitions != self.partitions:
            self.partitions, self.unread, self.ends = partitions, set(partitions), {}
            starts = {partition: self.offsets.get(partition, OFFSET_BEGINNING) for partition in partitions}
            self.consumer.assign([TopicPartition(self.topic, *start) for start in starts.items()])

    def read(self, most: int) -> list[Read]:
        """The next messages, up to ``most``; none when every partition is read to its end."""
        messages: list[Read] = []
        until = monotonic() + protocol.TIMEOUT
        while len(messages) < most:
            if set(self.ends) >= self.partitions:
                message = self._next(0)
                if message is None:
                    break
            else:
                message = self._expect(until)
            if message.is_end:
                self.ends[message.partition] = message.offset
                continue
            self.ends.pop(message.partition, None)
            if message.partition in self.unread:
                self.unread.discard(message.partition)
                self._report_gap(message)
            messages.append(message)
        return messages

    def advance(self, messages: list[Read]) -> None:
        """Go on after these messages, the last that were read: they have landed."""
        self.offsets |= {message.partition: message.offset + 1 for message in messages}
        self.offsets |= self.ends  # behind what a transaction writes after its last message

    def lag(self) -> int:
        """Messages from the offsets to the end of each partition."""
        self.follow()
        until, seen = monotonic() + protocol.TIMEOUT, set[int]()
        while seen < self.partitions:  # the first answer of each partition says where it ends
            seen.add(self._expect(until).partition)
        count = 0
        for partition in self.partitions:
            low, high = self.consumer.get_watermark_offsets(TopicPartition(self.topic, partition), cached=True)
            count += max(0, high - max(low, self.offsets.get(partition, 0)))
        self.consumer.close()
        return count

    def _expect(self, until: float) -> Read:
        """The next message or end of a partition; raises BrokerAway if there is none by then."""
        message = self._next(max(0.0, until - monotonic()))
        if message is None:
            raise protocol.BrokerAway(f"topic {self.topic}: no answer within {protocol.TIMEOUT:g} seconds")
        return message

    def _next(self, seconds: float) -> Read | None:
        """The next message or end of a partition, if one comes in time; raises KafkaException for other errors."""
        message = self.consumer.poll(seconds)
        if message is None:
            return None
        error = message.error()
        if error and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the name that librdkafka gives it
            raise KafkaException(error)
        return Read(message.partition() or 0, message.offset() or 0, message.key() or b"", message.value(), bool(error))

    def _report_gap(self, first: Read) -> None:
        """Say that the server does not have what was to be read next."""
        expected = self.offsets.get(first.partition, 0)
        if first.offset != expected:
            log.warning(
                "broker, topic %s, partition %d: goes on at message %d, not at %d: messages were removed before they "
                "were read, or the topic was made anew; the daily batch has all, ops.intraday_differences shows them",
                *(self.topic, first.partition, first.offset, expected),
            )


def produce(producer: Producer, topic: str, messages: Iterable[Outgoing], seconds: float) -> str | None:
    """Send messages and wait for the brokers; returns why some are not acknowledged, None if all are."""
    failed: list[KafkaError] = []

    def answered(error: KafkaError | None, _: Message) -> None:
        if error:
            failed.append(error)

    for message in messages:
        while True:
            try:
                producer.produce(
                    topic, message.value, key=message.key, headers=dict(message.headers), on_delivery=answered
                )
                break
            except BufferError:  # the client's queue is full: wait for the brokers
                producer.poll(0.1)
    left = producer.flush(seconds)
    if left:
        producer.purge()
    if failed:
        return failed[0].str()
    return f"{left} messages are not acknowledged within {seconds:g} seconds" if left else None


def is_address(url: SecretStr) -> bool:
    """Whether it names a Kafka."""
    parts = urlsplit(url.get_secret_value())
    return parts.scheme in SCHEMES and bool(parts.netloc)


def properties_of(url: SecretStr) -> tuple[Properties, str]:
    """Properties of librdkafka for an address, and the prefix of the topics."""
    parts = urlsplit(url.get_secret_value())
    user, _, hosts = parts.netloc.rpartition("@")
    is_encrypted = parts.scheme == "kafkas"
    properties: Properties = {"bootstrap.servers": hosts, "log_level": _NO_LOG}
    if user:
        name, _, password = user.partition(":")
        properties |= {"sasl.mechanism": "PLAIN", "sasl.username": unquote(name), "sasl.password": unquote(password)}
    protocols = {(False, False): "plaintext", (False, True): "ssl", (True, False): "sasl_plaintext"}
    properties["security.protocol"] = protocols.get((bool(user), is_encrypted), "sasl_ssl")
    return properties | dict(parse_qsl(parts.query)), parts.path.strip("/") or PREFIX


def _name(messages: list[Read]) -> str:
    """Of the micro-batch: the first and last offset of each partition."""
    offsets: dict[int, list[int]] = {}
    for message in messages:
        offsets.setdefault(message.partition, []).append(message.offset)
    ranges = "-".join(f"p{partition}-{seen[0]}-{seen[-1]}" for partition, seen in sorted(offsets.items()))
    return f"broker-{ranges}"


@contextmanager
def _answering() -> Generator[None]:
    try:
        yield
    except KafkaException as error:
        raise protocol.BrokerAway(error) from error
