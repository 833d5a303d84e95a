"""A small simulated bank for pipeline tests: its deliveries, day by day, and what readers see of it."""

import gzip
import hashlib
import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import duckdb

from lakehouse import tags, warehouse
from lakehouse.contracts import load_feeds
from lakehouse.settings import Settings
from lakehouse.warehouse.dbt import target_path
from tests.conftest import temporary_settings

READER_SCHEMAS = ("marts", "features", "scores", "actions")
ABSTAINS = tuple(  # few enterprises, hardly a lead who opens an account, few months of calls
    f"scores.{task}{latest}"
    for task in ("enterprise_liquidity", "lead_conversion", "uplift_retention")
    for latest in ("", "_latest")
)
EMPTY = (*ABSTAINS, "actions.case_events")  # nobody has worked on a case
# Tags that desks of the bank hand in for its three days: tag -> conditions, whether all must hold, and SQL of one's own
ALL, ANY = "all", "any"
TAGS: dict[str, tuple[tuple[str, ...], Literal["all", "any"], str]] = {
    "at_work": (("occupation in 医生, 教师, 工程师",), ALL, "occupation in ('医生', '教师', '工程师')"),
    "not_at_work": (("occupation not in 医生, 教师",), ALL, "occupation <> '医生' and occupation <> '教师'"),
    "no_segment": (("segment_id is empty", "party_type = P"), ALL, "segment_id is null and party_type = 'P'"),
    "lately": (
        ("last_activity_date in last days 3", "star_tier >= 2", "contact_policy.preferred_channel != phone"),
        ALL,
        "last_activity_date between {day} - 2 and {day} and star_tier > 1 and preferred_channel <> 'phone'",
    ),
    "either": (
        ("first_opened_date < 2023-12-31", "aum_amount between 50000 and 1e6"),
        ANY,
        "first_opened_date <= date '2023-12-30' or (aum_amount >= 50000 and aum_amount <= 1000000)",
    ),
    "nobody": (("star_tier = 7", "star_tier = 1"), ALL, "false"),
}
RUN_COLUMNS = ("run_id", "scored_at", "published_at")  # the only columns that differ between equal runs


def deployment_at(folder: Path, landing: Path, **overrides: object) -> Settings:
    """Settings below ``folder`` that read the given landing folder."""
    return temporary_settings(folder, landing=landing, **overrides)


def copy_of(source: Settings, folder: Path, landing: Path | None = None) -> Settings:
    """The same installation in another folder; it may go on with other deliveries."""
    for name in ("lake", "published"):
        shutil.copytree(getattr(source, name), folder / name)
    for name in ("build.duckdb", "warehouse.duckdb"):
        shutil.copyfile(source.lake.parent / name, folder / name)
    copied = deployment_at(folder, landing or source.landing)
    warehouse.relocate(copied)
    shutil.copytree(target_path(source), target_path(copied))  # the parsed project: parsing takes longer than a day
    return copied


def define_tags(settings: Settings, first: date, last: date) -> None:
    """Hand in `TAGS` for the first day; two more: one expires after it, one is retired on the last day."""

    def save(tag: str, texts: tuple[str, ...], matching: str, expires: date, day: date = first) -> None:
        parts = {"description": f"标签 {tag}", "owner": "desk", "matching": matching, "expires_date": expires}
        conditions = tuple(map(tags.condition_of, texts))
        tags.save(settings, tags.Definition.of(tag=tag, conditions=conditions, **parts), day, "S0042")

    for tag, (texts, matching, _) in TAGS.items():
        save(tag, texts, matching, date(2099, 12, 31))
    save("over", ("star_tier >= 1",), ALL, first)
    save("taken_back", ("star_tier >= 1",), ALL, last)
    tags.retire(settings, "taken_back", last, "S0043", "a mistake")
    save("either", ("star_tier >= 5",), ALL, date(2099, 12, 31))  # a correction of the same day: the first never counts
    save("either", *TAGS["either"][:2], date(2099, 12, 31), last)


def customers_of(landing: Path) -> list[str]:
    """The customer numbers that the branch has told by the end of the history, in order."""
    numbers = set()
    for path in (landing / "customers").glob("customers_????-??_v1.dat"):
        header, *lines = path.read_text(load_feeds()["customers"].encoding).splitlines()
        at = header.split("|").index("customer_no")
        numbers |= {line.split("|")[at] for line in lines}
    return sorted(numbers)


def wishes_of(landing: Path) -> dict[str, list[str]]:
    """Party keys by what they say on the first of the three days; `back` takes it back on the third."""
    keys = [f"cif:{number}" for number in customers_of(landing)]
    return {"profiling": keys[::40], "marketing": keys[1::40], "back": keys[2::80]}


def deliver_wishes(landing: Path, first: date, last: date) -> None:
    """Deliver what customers say of being profiled and of marketing."""
    header = "|".join(column.name for column in load_feeds()["consents"].columns)
    said = {
        first: [
            (key, "marketing" if wish == "marketing" else "profiling", "refused")
            for wish, keys in wishes_of(landing).items()
            for key in keys
        ],
        last: [(key, "profiling", "given") for key in wishes_of(landing)["back"]],
    }
    for day, words in said.items():
        lines = [
            f"W{day:%d}{number:04}|{day}|{key}|{purpose}|{decision}|{day}|{day} 09:00:00|mobile"
            for number, (key, purpose, decision) in enumerate(words)
        ]
        send(landing, "consents", day, [header, *lines])


ADJUSTED = "marts.customer_360."
ADJUSTMENTS = (  # day, number, effective, element, place of the branch in their order, amount, what it reverses
    (0, "A1", -1, "deposit_amount", 0, "1000.50", ""),  # from the month-end before on
    (0, "A2", 0, "investment_amount", 1, "-500.00", ""),
    (0, "A3", 0, "deposit_amount", None, "7.00", ""),  # of a branch that nobody knows
    (2, "R1", 1, "deposit_amount", 0, "-1000.50", "A1"),
    (2, "R2", 2, "deposit_amount", 0, "-1000.50", "A1"),  # once is enough
)


def branches_of(landing: Path) -> list[str]:
    """The codes of the branches that the bank has told of, in order."""
    (file, *_) = sorted((landing / "branches").glob("branches_*.dat"))
    contract = load_feeds()["branches"]
    header, *lines = file.read_text(contract.encoding).splitlines()
    at = header.split(contract.delimiter).index("branch_code")
    return sorted(line.split(contract.delimiter)[at] for line in lines)


def deliver_adjustments(landing: Path, first: date) -> None:
    """Deliver what Finance adjusted by hand on the three days, each line with two names, `ADJUSTMENTS`."""
    header, branches = "|".join(column.name for column in load_feeds()["adjustments"].columns), branches_of(landing)
    for day in sorted({day for day, *_ in ADJUSTMENTS}):
        told = first + timedelta(days=day)
        lines = [
            f"{number}|{told}|{first + timedelta(days=since)}|{ADJUSTED}{element}|"
            f"{'B???' if at is None else branches[at]}|{amount}|counted twice|FIN-{number}|{reverses}|S0042|S0043"
            for on, number, since, element, at, amount, reverses in ADJUSTMENTS
            if on == day
        ]
        send(landing, "adjustments", told, [header, *lines])


def content(store: Path) -> dict[str, tuple[int, int]]:
    """(rows, order-independent hash of every column but the run's) of every published table."""
    with duckdb.connect(str(store), read_only=True) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables "
            f"where table_schema in {READER_SCHEMAS} order by all"
        ).fetchall()
        return {f"{schema}.{table}": _hash(connection, schema, table) for schema, table in tables}


def _hash(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> tuple[int, int]:
    described = connection.execute(f'describe "{schema}"."{table}"').fetchall()
    columns = ", ".join(f'"{name}"' for name, *_ in described if name not in RUN_COLUMNS)
    return connection.execute(
        f'select count(*), coalesce(sum(hash({columns})::hugeint), 0) from "{schema}"."{table}"'
    ).fetchone()


def deliver(source: Path, landing: Path, up_to: date) -> None:
    """Copy every delivery with a cut-off up to the date: what a bank would have sent by then."""
    for manifest in source.glob("*/*.manifest.json"):
        described = json.loads(manifest.read_text())
        if date.fromisoformat(described["cutoff_at"][:10]) <= up_to:
            folder = landing / manifest.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            for name in (*(file["name"] for file in described["files"]), manifest.name):
                shutil.copyfile(manifest.parent / name, folder / name)


def send_events(landing: Path, name: str, *rows: dict) -> None:
    """Put a micro-batch of postings into the landing folder."""
    folder = landing / "intraday" / "transactions"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))


def lines_of(landing: Path, feed: str, period: str, version: int = 1) -> list[str]:
    """The lines of a delimited UTF-8 delivery, header first."""
    return (landing / feed / f"{feed}_{period}_v{version}.dat").read_text().splitlines()


def send(landing: Path, feed: str, day: date, lines: list[str]) -> None:
    """Write a day's delivery of a delimited UTF-8 feed without control sums."""
    name = f"{feed}_{day}_v1"
    data = ("\n".join(lines) + "\n").encode()
    file = {"name": f"{name}.dat", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {"feed": feed, "period": str(day), "version": 1, "load": "daily", "control_sums": {}, "files": [file]}
    manifest |= {"cutoff_at": f"{day}T23:59:59+08:00", "row_count": len(lines) - 1}
    (landing / feed).mkdir(parents=True, exist_ok=True)
    (landing / feed / f"{name}.dat").write_bytes(data)
    (landing / feed / f"{name}.manifest.json").write_text(json.dumps(manifest))


def redeliver(landing: Path, feed: str, period: str, version: int, lines: list[str], cutoff: date) -> None:
    """Write a delivery of a delimited UTF-8 feed with a manifest that agrees with it."""
    name = f"{feed}_{period}_v{version}"
    data = ("\n".join(lines) + "\n").encode()
    (landing / feed / f"{name}.dat").write_bytes(data)
    before = json.loads((landing / feed / f"{feed}_{period}_v1.manifest.json").read_text())
    header = lines[0].split("|")
    sums = {
        column: f"{sum(round(100 * float(line.split('|')[header.index(column)])) for line in lines[1:]) / 100:.2f}"
        for column in before["control_sums"]
    }
    manifest = before | {
        "version": version,
        "cutoff_at": f"{cutoff}T23:59:59+08:00",
        "row_count": len(lines) - 1,
        "control_sums": sums,
        "files": [{"name": f"{name}.dat", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}],
    }
    (landing / feed / f"{name}.manifest.json").write_text(json.dumps(manifest))
