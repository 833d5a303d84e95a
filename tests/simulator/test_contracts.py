"""Every row of every feed keeps its contract, read and judged without the pipeline's own code."""

import hashlib
import json
import re
from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lakehouse.contracts import Column, Feed, load_feeds
from tests.simulator.bank_files import read

PATTERNS = {
    "date": r"\d{4}-\d{2}-\d{2}",
    "timestamp": r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}",
    "decimal(18,2)": r"-?\d+(\.\d{1,2})?",
    "decimal(12,6)": r"-?\d(\.\d{1,6})?",
    "integer": r"-?\d+",
    "boolean": r"true|false|True|False",
    "varchar": r"[^|\"\n]+",
}
# What the bank's people make of what they see: no history has it.
BY_PEOPLE = {"identity_decisions", "action_outcomes", "tag_definitions", "case_events"}
DELIVERED = [feed for feed in load_feeds().values() if feed.name not in BY_PEOPLE]
PARSERS = {"date": date.fromisoformat, "timestamp": datetime.fromisoformat}


def faults(column: Column, text: str | None) -> str | None:
    if text is None:
        return "missing" if column.is_required else None
    if not re.fullmatch(PATTERNS[column.type], text):
        return "type"
    if column.type in PARSERS:
        PARSERS[column.type](text)
    if column.allowed and text not in column.allowed:
        return "not allowed"
    below = column.minimum is not None and Decimal(text) < column.minimum
    above = column.maximum is not None and Decimal(text) > column.maximum
    return "range" if below or above else None


def manifests(bank: Path, feed: str) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted((bank / "landing" / feed).glob("*.manifest.json"))]


@pytest.mark.parametrize("feed", DELIVERED, ids=lambda feed: feed.name)
def test_rows_keep_the_contract_and_manifests_tell_the_truth(bank: Path, feed: Feed) -> None:
    columns = feed.at_least.sent_columns  # the simulated bank sends no column that may be absent
    names = [column.name for column in columns]
    delivered = manifests(bank, feed.name)
    assert delivered[-1]["period"] == "2024-06-02"
    keys_of_days: Counter[tuple] = Counter()
    for manifest in delivered:
        (file,) = manifest["files"]
        path = bank / "landing" / feed.name / file["name"]
        assert (file["bytes"], file["sha256"]) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        rows = list(read(path, feed.name))
        assert len(rows) == manifest["row_count"]
        bad = Counter(
            (column.name, fault, row[column.name])
            for row in rows
            for column in columns
            if (fault := faults(column, row[column.name]))
        )
        assert not bad
        assert all(list(row) == names for row in rows)
        keys = Counter(tuple(row[name] for name in feed.key) for row in rows)
        assert max(keys.values(), default=0) <= 1
        keys_of_days += keys
        for column, total in manifest["control_sums"].items():
            assert sum(Decimal(row[column]) for row in rows) == Decimal(total)
        if feed.business_date_column:
            assert all(row[feed.business_date_column].startswith(manifest["period"]) for row in rows)
    assert keys_of_days, "the feed is empty"
    if feed.delivery == "event stream":
        assert max(keys_of_days.values()) == 1


def test_truth_names_the_person_behind_every_delivered_record(bank: Path) -> None:
    delivered = {
        prefix + row[column]
        for prefix, feed, column in (
            ("cif:", "customers", "customer_no"),
            ("online:", "registrations", "user_id"),
            ("lead:", "social_leads", "lead_id"),
        )
        for path in (bank / "landing" / feed).iterdir()
        if not path.name.endswith(".manifest.json")
        for row in read(path, feed)
    }
    persons = pq.read_table(bank / "truth" / "persons.parquet").to_pylist()
    assert {row["party_key"] for row in persons} == delivered
    assert len(persons) == len(delivered)
    assert len({row["person_id"] for row in persons}) < 0.8 * len(delivered)


def test_every_branch_has_a_name_of_its_own_in_either_language(bank: Path) -> None:
    rows = list(read(max((bank / "landing" / "branches").glob("*.dat")), "branches"))
    assert len(rows) > 3
    for name, letters in (("branch_name", r"[一-鿿]+支行"), ("branch_name_en", r"[A-Z][A-Za-z' ]+ Branch")):
        assert all(re.fullmatch(letters, row[name]) for row in rows)
        assert len({row[name] for row in rows}) == len({row["branch_code"] for row in rows})
