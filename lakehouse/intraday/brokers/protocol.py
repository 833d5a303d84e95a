"""What the loop asks of a broker, and the micro-batches that all of them write."""

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from lakehouse.errors import Stop
from lakehouse.lake import appearing

READ = 5_000  # events at once: one micro-batch
MOST_READS = 40  # in one cycle: a backlog is worked off in steps
TIMEOUT = 5.0  # seconds; a broker that does not answer holds up files no longer than this


class BrokerAway(Stop):
    """The broker does not answer, or refuses."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"the broker cannot be reached: {reason}", "start it, or correct C360_BROKER_URL")


class Broker(Protocol):
    """A source and, for the simulator, a destination of a feed's events.

    An event is a JSON object with the columns of the feed's contract and ``event_at``, as a line of a micro-batch is.
    Every method raises BrokerAway.
    """

    def land(self, feed: str) -> int:
        """Write what has come of the feed to the landing folder; returns the number of events.

        An event may land twice, after a crash or an interruption; it counts once.
        """
        ...

    def waiting(self, feed: str) -> int | None:
        """Events of the feed that have not landed yet; None where the server does not say."""
        ...

    def send(self, feed: str, events: Iterable[str]) -> None:
        """Hand events to the broker, which holds them when this returns."""
        ...

    def server(self) -> str:
        """Kind and version of what answers."""
        ...

    def close(self) -> None:
        """End the connections."""
        ...


def write_batch(landing: Path, feed: str, name: str, lines: Iterable[bytes]) -> None:
    """One micro-batch; a name that says which events it holds makes a repetition overwrite it."""
    with appearing(landing / "intraday" / feed / f"{name}.jsonl.gz") as temporary:
        temporary.write_bytes(gzip.compress(b"".join(lines), 1))


def line(event: bytes | None, others: Mapping[str, str]) -> bytes:
    """The event as one line; without an event, a line of ``others`` that the contract refuses and quarantine shows."""
    if event:
        return event.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
    return json.dumps(others, ensure_ascii=False).encode() + b"\n"
