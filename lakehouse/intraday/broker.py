"""Events of a message broker, Redis Streams, become micro-batches in the landing folder, and go the way of files.

A feed has the stream ``intraday:<feed>``; an entry has one field, ``event``: a JSON object with the columns of the
feed's contract and ``event_at``, as a line of a micro-batch has. The loop reads as consumer group ``c360`` and
acknowledges what has landed, so that other groups may read the same streams; the sender sets how long
they keep entries (``XADD ... MAXLEN`` or ``MINID``).
"""

import gzip
import json
import logging
from typing import Any

import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.typing import KeyT, StreamIdT

from lakehouse.lake import appearing
from lakehouse.settings import Settings

GROUP = "c360"
FIELD = b"event"
READ = 5_000  # entries at once: one micro-batch
MOST_READS = 40  # in one cycle: a backlog is worked off in steps
TIMEOUT = 5.0  # seconds; a broker that does not answer holds up files no longer than this

log = logging.getLogger(__name__)


def stream(feed: str) -> str:
    """The stream that has the feed's events."""
    return f"intraday:{feed}"


def connect(url: SecretStr) -> redis.Redis:
    """A client of the broker at ``redis://``, ``rediss://`` (TLS) or ``unix://``."""
    return redis.Redis.from_url(
        url.get_secret_value(), socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 1)
    )


def land(settings: Settings, client: redis.Redis, feed: str) -> int:
    """Write what the broker has of the feed to the landing folder, then acknowledge it; returns the entries landed.

    What a killed loop had received and not acknowledged comes first, and may land twice: events count once. A broker
    that does not answer is logged, and asked again in the next cycle.
    """
    count = 0
    try:
        _make_group(client, feed)
        for position in (b"0", b">"):  # received but not acknowledged, new
            for _ in range(MOST_READS):
                streams: dict[KeyT, StreamIdT] = {stream(feed): position}
                answer: Any = client.xreadgroup(GROUP, "loop", streams, count=READ)
                entries = answer[0][1] if answer else []
                if not entries:
                    break
                _write(settings, feed, entries)
                client.xack(stream(feed), GROUP, *(number for number, _ in entries))
                count += len(entries)
    except redis.RedisError as error:
        log.warning("broker, stream %s: %s: asked again in the next cycle", stream(feed), error)
    return count


def waiting(client: redis.Redis, feed: str) -> int | None:
    """Entries of the feed that have not landed yet; None where the server does not say (Redis before 7)."""
    _make_group(client, feed)
    (group,) = (group for group in client.xinfo_groups(stream(feed)) if group["name"] == GROUP.encode())
    lag = group.get("lag")
    return None if lag is None else lag + group["pending"]


def _make_group(client: redis.Redis, feed: str) -> None:
    """From the stream's first entry on; a stream that is not there yet, or was removed, is made."""
    try:
        client.xgroup_create(stream(feed), GROUP, id="0", mkstream=True)
    except redis.ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


def _write(settings: Settings, feed: str, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
    """One micro-batch, named by its entries, so that landing them twice writes one file."""
    first, last = (entries[place][0].decode() for place in (0, -1))
    lines = b"".join(_line(fields or {}) for _, fields in entries)
    with appearing(settings.landing / "intraday" / feed / f"broker-{first}-{last}.jsonl.gz") as temporary:
        temporary.write_bytes(gzip.compress(lines, 1))


def _line(fields: dict[bytes, bytes]) -> bytes:
    """The event as one line; an entry without one becomes a line that the contract refuses, with all its fields."""
    if event := fields.get(FIELD):
        return event.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
    texts = {_text(name): _text(value) for name, value in fields.items()}
    return json.dumps(texts, ensure_ascii=False).encode() + b"\n"


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")
