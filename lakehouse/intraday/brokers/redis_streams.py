"""Redis Streams: a feed has the stream ``intraday:<feed>``, an entry the field ``event``.

The loop reads as consumer group ``c360`` and acknowledges what has landed, so that other groups may read the same
streams; the sender sets how long they keep entries (``XADD ... MAXLEN`` or ``MINID``).
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.typing import KeyT, StreamIdT

from lakehouse.intraday.brokers import protocol
from lakehouse.settings import Settings

SCHEMES = ("redis", "rediss", "unix")
GROUP = "c360"
FIELD = b"event"
MOST_ENTRIES = 1_000_000  # of a stream that the simulator writes


class RedisStreams:
    """The broker at ``redis://``, ``rediss://`` (TLS) or ``unix://``."""

    def __init__(self, settings: Settings) -> None:
        self.landing = settings.landing
        self.client = client_of(settings.broker_url)

    def land(self, feed: str) -> int:
        """Write what has come of the feed, then acknowledge it; returns the number of entries.

        What a killed loop had received and not acknowledged comes first.
        """
        count = 0
        with _answering():
            self._make_group(feed)
            for position in (b"0", b">"):  # received but not acknowledged, new
                for _ in range(protocol.MOST_READS):
                    streams: dict[KeyT, StreamIdT] = {stream(feed): position}
                    answer: Any = self.client.xreadgroup(GROUP, "loop", streams, count=protocol.READ)
                    entries = answer[0][1] if answer else []
                    if not entries:
                        break
                    self._write(feed, entries)
                    self.client.xack(stream(feed), GROUP, *(number for number, _ in entries))
                    count += len(entries)
        return count

    def waiting(self, feed: str) -> int | None:
        """Entries of the feed that have not landed yet; None where the server does not say (Redis before 7)."""
        with _answering():
            self._make_group(feed)
            groups: Any = self.client.xinfo_groups(stream(feed))
            (group,) = (group for group in groups if group["name"] == GROUP.encode())
        lag = group.get("lag")
        return None if lag is None else lag + group["pending"]

    def send(self, feed: str, events: Iterable[str]) -> None:
        """Append the events to the feed's stream."""
        with _answering(), self.client.pipeline(transaction=False) as pipeline:
            for event in events:
                pipeline.xadd(stream(feed), {FIELD: event}, maxlen=MOST_ENTRIES)
            pipeline.execute()

    def server(self) -> str:
        """Kind and version of what answers."""
        with _answering():
            about: Any = self.client.info("server")
        return f"Redis {about['redis_version']}"

    def close(self) -> None:
        """End the connections."""
        self.client.close()

    def _make_group(self, feed: str) -> None:
        """From the stream's first entry on; a stream that is not there yet, or was removed, is made."""
        try:
            self.client.xgroup_create(stream(feed), GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def _write(self, feed: str, entries: list[tuple[bytes, dict[bytes, bytes] | None]]) -> None:
        first, last = (entries[place][0].decode() for place in (0, -1))
        protocol.write_batch(
            self.landing, feed, f"broker-{first}-{last}", (_line(fields or {}) for _, fields in entries)
        )


def client_of(url: SecretStr) -> redis.Redis:
    """A client that does not wait long for a server that does not answer."""
    return redis.Redis.from_url(
        url.get_secret_value(),
        socket_timeout=protocol.TIMEOUT,
        socket_connect_timeout=protocol.TIMEOUT,
        retry=Retry(NoBackoff(), 1),
    )


def stream(feed: str) -> str:
    """The stream that has the feed's events."""
    return f"intraday:{feed}"


def _line(fields: dict[bytes, bytes]) -> bytes:
    event = fields.get(FIELD)
    return protocol.line(event, {} if event else {_text(name): _text(value) for name, value in fields.items()})


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")


@contextmanager
def _answering() -> Generator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise protocol.BrokerAway(error) from error
