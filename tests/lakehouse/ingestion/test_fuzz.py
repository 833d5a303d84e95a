"""Whatever is sent: no crash, no hang, no row lost, and nothing of it in what is said about it.

Every feed's reader, the manifests of every feed, and the events within the day get files that begin well and are
spoilt at random. What is found gets a test of its own beside the reader. ``C360_FUZZ_SECONDS`` says how long all of
this file takes; ``make fuzz`` gives it minutes.
"""

import gzip
import json
import logging
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TypeVar

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as trying
from hypothesis import strategies as st

from lakehouse import lake
from lakehouse.contracts import Column, Feed, load_feeds
from lakehouse.errors import Stop
from lakehouse.ingestion import dateless, land
from lakehouse.ingestion.loading import connection
from lakehouse.intraday import batches
from lakehouse.lake import Outcome
from lakehouse.lake.dates import landed_dates
from lakehouse.settings import Settings
from tests.conftest import SECRET
from tests.lakehouse.ingestion.bank import DAY, Bank

Example = TypeVar("Example")
SECONDS = float(os.environ.get("C360_FUZZ_SECONDS", "30"))
SLOWEST = 30.0  # seconds for one example of a few rows, however busy the machine is
LATER = date(2026, 12, 31)
CANARY = "Kanarienvogel"  # stands for a person: it may be in the lake and in quarantine, and nowhere else
FEEDS = sorted(load_feeds())
TARGETS = len(FEEDS) + len(batches.FEEDS) + 3
VALUES = {
    "date": ("2026-01-05", "2026-01-04", "2025-12-31"),
    "timestamp": ("2026-01-05 08:00:00", "2026-01-04 23:59:59"),
    "boolean": ("true", "false"),
    "integer": ("0", "7", "30"),
    "varchar": ("A1", "C100", "王小明", "x y", CANARY),
}
NASTY = (
    *("", " ", '"', '""', '"""', "|", "||", ",", "\t", "\n", "\r", "\r\n", "\0", "\ufeff", "\u2028", "\x1a", "\\", "'"),
    *(
        "null",
        "None",
        "NaN",
        "inf",
        "-0",
        "1e400",
        "1e-400",
        "9" * 40,
        "0x10",
        "１２",
        "1_000",
        "1,5",
        "+1",
        "--1",
        "- 1",
    ),
    *("2026-02-30", "0000-00-00", "9999-12-31", "2026-01-05T08:00:00Z", "2026-01-05 24:00:00", "infinity", "epoch"),
    *(
        'an "inch"',
        "𠮷",
        "e\u0301",
        "\ud7ff",
        "=1+1",
        "; drop table judged",
        "{}",
        "[",
        '{"a":',
        "\\u0000",
        "\\ud800",
        "[/x]",
    ),
    f"{CANARY}|{CANARY}",
    f'"{CANARY}',
)
STRUCTURE = (b"|", b"||", b'"', b'""', b'|""', b"\n", b"\r\n", b"\r", b" ", b",", b"|\n")
NASTY_BYTES = (b"\xff", b"\xfe\xff", b"\x80", b"\x81\x30\x81", b"\xed\xa0\x80", b"\xc0\x80", b"\0", b"\x1f\x8b", b"\r")


def fuzz(strategy: st.SearchStrategy[Example], check: Callable[[Example], None], share: float) -> None:
    """Try examples for that share of the time that all of this file has."""
    until, number = time.monotonic() + SECONDS * share, random.SystemRandom().randrange(1 << 30)
    is_found = False
    while True:

        @seed(number)  # what fails is printed, and found again with it
        @trying(
            max_examples=20,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def attempt(example: Example) -> None:
            nonlocal is_found
            began = time.monotonic()
            if began > until and not is_found:
                return
            try:
                check(example)
                assert time.monotonic() - began < SLOWEST, "hangs"
            except BaseException:
                is_found = True  # it is tried again, and made smaller, however long that takes
                raise

        attempt()
        number += 1
        if time.monotonic() > until:
            return


def value(column: Column) -> st.SearchStrategy[str]:
    """What the contract allows in a column, by and large."""
    kind = column.type.partition("(")[0]
    choices = column.allowed or VALUES.get(kind, ("0.00", "12.50", "7", "1000000.01"))
    return st.sampled_from((*choices, "") if not column.is_required else choices)


def rows(feed: Feed) -> st.SearchStrategy[list[dict[str, str]]]:
    """A few good rows, most with keys of their own, of which some values are spoilt."""
    row = st.fixed_dictionaries({column.name: value(column) for column in feed.columns})
    spoilt = st.tuples(st.integers(0, 9), st.sampled_from(feed.columns), st.sampled_from(NASTY))

    def made(drawn: tuple[list[dict[str, str]], list[tuple[int, Column, str]]]) -> list[dict[str, str]]:
        lines, spoils = drawn
        for number, line in enumerate(lines):
            key = next(
                (column for column in feed.columns if column.name in feed.key and column.type == "varchar"), None
            )
            if key:
                line[key.name] = f"K{number % 8}"
        for number, column, text in spoils:
            if lines:
                lines[number % len(lines)][column.name] = text
        return lines

    return st.tuples(st.lists(row, max_size=9), st.lists(spoilt, max_size=4)).map(made)


def changes(pieces: tuple[bytes, ...]) -> st.SearchStrategy[list[tuple[str, float, bytes]]]:
    """Ways to spoil bytes: what is done, where (a share of the length), and with what."""
    what = st.sampled_from(
        ("insert", "replace", "cut", "repeat", "drop line", "double line", "swap lines", "end line", "begin line")
    )
    piece = st.one_of(st.sampled_from(STRUCTURE), st.sampled_from(pieces))  # what divides lines and fields breaks most
    return st.lists(st.tuples(what, st.floats(0, 1), piece), max_size=3)


def spoil(content: bytes, spoils: list[tuple[str, float, bytes]]) -> bytes:
    for what, place, piece in spoils:
        at, lines = int(place * len(content)), content.split(b"\n")
        line = int(place * (len(lines) - 1))
        match what:
            case "insert":
                content = content[:at] + piece + content[at:]
            case "replace":
                content = content[:at] + piece + content[at + len(piece) :]
            case "cut":
                content = content[:at]
            case "repeat":
                content = content + content[at:]
            case "end line":
                lines[line] += piece
                content = b"\n".join(lines)
            case "begin line":
                lines[line] = piece + lines[line]
                content = b"\n".join(lines)
            case "drop line":
                content = b"\n".join(lines[:line] + lines[line + 1 :])
            case "double line":
                content = b"\n".join([*lines[: line + 1], *lines[line:]])
            case "swap lines":
                content = b"\n".join([*lines[line:], *lines[:line]])
    return content


def written(feed: Feed, lines: list[dict[str, str]]) -> bytes:
    """The rows as the contract has them, but for what is spoilt: a field is not quoted unless the value is."""
    if feed.format == "delimited":
        names = [column.name for column in feed.columns]
        texts = [feed.delimiter.join(names), *(feed.delimiter.join(line[name] for name in names) for line in lines)]
        return "".join(f"{text}\n" for text in texts).encode(feed.encoding, "replace")
    plain = {column.name for column in feed.columns if column.type in ("varchar", "date", "timestamp")}

    def field(name: str, text: str) -> str:
        return f"{json.dumps(name)}: {json.dumps(text, ensure_ascii=False) if name in plain else text or 'null'}"

    texts = [f"{{{', '.join(field(name, text) for name, text in line.items())}}}" for line in lines]
    return "".join(f"{text}\n" for text in texts).encode(feed.encoding, "replace")


PIECES = (*(text.encode() for text in NASTY), *NASTY_BYTES)


@st.composite
def files(draw: st.DrawFn, feed: Feed) -> bytes:
    content = spoil(written(feed, draw(rows(feed))), draw(changes(PIECES)))
    if feed.format == "delimited":
        return content
    return spoil(gzip.compress(content, mtime=0), draw(st.one_of(st.just([]), changes(NASTY_BYTES))))


class Said(logging.Handler):
    """Everything that is logged, and whatever else is said."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@pytest.fixture
def said() -> Iterator[Said]:
    handler = Said()
    root = logging.getLogger("lakehouse")
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(logging.NOTSET)
    assert not [text for text in handler.texts if CANARY in text]


@pytest.fixture
def new_bank(tmp_path: Path) -> Callable[[], Bank]:
    """A bank without a past; the one before is gone."""

    def make() -> Bank:
        folder = tmp_path / "bank"
        shutil.rmtree(folder, ignore_errors=True)
        return Bank(Settings.from_env(landing=folder / "landing", lake=folder / "lake", token_secret=SECRET))

    return make


def held(bank: Bank, outcome: Outcome) -> tuple[int, int]:
    """Rows in the lake file and in the quarantine file of an outcome."""

    def count(file: str | None) -> int:
        if file is None:
            return 0
        return duckdb.sql(f"select count(*) from read_parquet('{bank.settings.lake / file}')").fetchall()[0][0]

    return count(outcome.lake_file), count(outcome.quarantine_file)


def check_outcome(bank: Bank, outcome: Outcome, said: Said) -> None:
    """What is recorded of a delivery holds, and shows nothing of it."""
    records = [path.read_text() for path in (bank.settings.lake / "deliveries").rglob("*.json")]
    said.texts += records
    assert not [text for text in records if CANARY in text]
    in_lake, in_quarantine = held(bank, outcome)
    if outcome.is_loaded:
        assert (in_lake, in_quarantine) == (outcome.rows_loaded, outcome.rows_quarantined)
        assert outcome.rows_delivered == in_lake + in_quarantine
    else:
        assert outcome.reason and in_lake == 0
    assert bank.ingest(outcome.feed) == []  # once is enough
    lake.pin(bank.settings.lake, LATER)


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", FEEDS)
def test_every_feed_s_reader(name: str, new_bank: Callable[[], Bank], said: Said) -> None:
    feed = load_feeds()[name]

    def check(content: bytes) -> None:
        bank = new_bank()
        source = bank.settings.lake.parent / "sent"
        source.parent.mkdir(parents=True)
        source.write_bytes(content)
        try:
            draft = land(bank.settings, source, name, DAY)
        except Stop as refused:
            said.texts.append(str(refused))  # looked at when the test ends
            bank.deliver(name, content, rows=content.count(b"\n"), sums=dict.fromkeys(feed.control_sums, "0"))
            (outcome,) = bank.ingest(name)
        else:
            (outcome,) = bank.ingest(name)
            found = draft.findings
            assert outcome.is_loaded, outcome.reason
            assert (outcome.rows_delivered, outcome.rows_quarantined) == (found.rows, found.bad_rows)
        check_outcome(bank, outcome, said)
        if outcome.is_loaded and feed.format == "delimited" and b'"' not in content:
            lines = content.replace(b"\r\n", b"\n").split(b"\n")[1:]
            assert outcome.rows_delivered == sum(bool(line) for line in lines), "rows are lost"

    fuzz(files(feed), check, 1 / TARGETS)


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from((*NASTY, CANARY)),
        st.integers(10**20, 10**30),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NASTY), inner, max_size=3)),
    max_leaves=5,
)
PLACES = ("feed", "period", "version", "load", "cutoff_at", "row_count", "control_sums", "files", CANARY)


@st.composite
def manifests(draw: st.DrawFn) -> tuple[dict[str, object], list[tuple[str, float, bytes]]]:
    """Fields in place of good ones, at the top or in the one file; and ways to spoil the text."""
    return (
        draw(st.dictionaries(st.sampled_from(PLACES), JSON, max_size=2)),
        draw(st.one_of(st.just([]), changes(PIECES))),
    )


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("where", ["top", "file"])
def test_every_manifest(where: str, new_bank: Callable[[], Bank], said: Said) -> None:
    feeds = iter(FEEDS * 1000)

    def check(drawn: tuple[dict[str, object], list[tuple[str, float, bytes]]]) -> None:
        fields, spoils = drawn
        bank, feed = new_bank(), load_feeds()[next(feeds)]
        header = feed.delimiter.join(column.name for column in feed.columns) + "\n"
        content = header.encode(feed.encoding) if feed.format == "delimited" else gzip.compress(b"", mtime=0)
        data = bank.deliver(feed.name, content, rows=0, sums=dict.fromkeys(feed.control_sums, "0"))
        path = data.with_name(f"{feed.name}_{DAY}_v1.manifest.json")
        stated = json.loads(path.read_text())
        if where == "top":
            stated |= fields
        else:
            stated["files"][0] |= dict(zip(("name", "bytes", "sha256"), fields.values(), strict=False))
        path.write_bytes(spoil(json.dumps(stated, ensure_ascii=False).encode("utf-8", "replace"), spoils))
        taken = bank.ingest(feed.name, day="9999-12-31")
        for outcome in taken:
            check_outcome(bank, outcome, said)
        landed_dates(bank.settings.landing, dateless(lake.read_outcomes(bank.settings.lake)))
        bank.deliver(feed.name, content, rows=0, sums=dict.fromkeys(feed.control_sums, "0"), period="2026-01-06")
        after = [outcome for outcome in bank.ingest(feed.name, day="9999-12-31") if outcome.period == "2026-01-06"]
        assert [outcome.outcome for outcome in after] == ["loaded"], after[0].reason

    fuzz(manifests(), check, 1.5 / TARGETS)


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", batches.FEEDS)
def test_events_within_the_day(name: str, new_bank: Callable[[], Bank], said: Said) -> None:
    feed = batches.event_feed(name)

    def check(content: bytes) -> None:
        bank = new_bank()
        folder = bank.settings.landing / "intraday" / name
        folder.mkdir(parents=True)
        (folder / "batch.jsonl.gz").write_bytes(content)
        with connection(bank.settings) as con:
            taken = batches.take(bank.settings, con, name, 1, datetime(2026, 1, 5, 12))
            read = (
                con.execute(f"select count(*) from read_parquet('{taken.path}')").fetchall()[0][0] if taken.path else 0
            )
        assert read == taken.event_count
        assert batches.waiting(bank.settings.landing, name) == []
        aside = list((bank.settings.lake / "quarantine").rglob("*"))
        try:
            unpacked = gzip.decompress(content)
        except Exception:  # noqa: BLE001 (however it is broken, it is set aside whole)
            assert [path for path in aside if path.name.endswith("-batch.jsonl.gz")]
            return
        if b"\r" not in unpacked:
            lines = unpacked.removeprefix(b"\xef\xbb\xbf").split(b"\n")
            assert taken.event_count + taken.refused_count == sum(bool(line) for line in lines), "events are lost"

    fuzz(files(feed), check, 1 / TARGETS)
