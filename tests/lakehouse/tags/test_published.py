"""Sizes, and who is handed on, over a published store of a few customers, on DuckDB and on a real Postgres."""

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.ingestion import additions
from lakehouse.lake.page_views import read_events
from lakehouse.settings import Settings
from lakehouse.tags import Definition, condition_of, count, export, retire, save
from tests.lakehouse.warehouse.built import Built

DAY, NEXT = date(2026, 1, 30), date(2026, 1, 31)
Row = dict[str, Any]
CUSTOMERS: list[Row] = [
    {
        "customer_key": key,
        "as_of_date": DAY,
        "star_tier": tier,
        "aum_amount": aum,
        "occupation": work,
        "opened_date": opened,
    }
    for key, tier, aum, work, opened in (
        ("cif:1", 5, 900_000, "教师", date(2026, 1, 29)),
        ("cif:2", 4, 50_000, "工程师", date(2025, 12, 31)),
        ("cif:3", 4, 50_000.01, "教师", date(2026, 1, 1)),
        ("cif:4", 7, 10_000_000, "个体户", None),
        ("cif:5", 1, -10, None, date(2020, 2, 29)),
        ("cif:6", None, None, "教师，退休", date(2026, 1, 30)),
        ("lead:7", 4, 0, "教师", date(2026, 1, 31)),
    )
]
POLICY = {  # customer -> allowed, reason, control; the lead is unknown to it
    "cif:1": (True, None, False),
    "cif:2": (False, "opted out", False),
    "cif:3": (True, None, True),
    "cif:4": (True, None, False),
    "cif:5": (False, "complaint", True),
    "cif:6": (True, None, False),
}
QUESTIONS: dict[tuple[str, ...], Callable[[Row], bool]] = {
    ("star_tier >= 4",): lambda row: row["star_tier"] is not None and row["star_tier"] >= 4,
    ("star_tier is empty",): lambda row: row["star_tier"] is None,
    ("occupation = 教师",): lambda row: row["occupation"] == "教师",
    ("occupation not in 教师, 工程师",): lambda row: row["occupation"] in ("个体户", "教师，退休"),
    ("opened_date in last days 30",): lambda row: (
        row["opened_date"] is not None and date(2026, 1, 1) <= row["opened_date"] <= DAY
    ),
    ("star_tier between 4 and 5", "aum_amount > 50000", "occupation in 教师"): lambda row: (
        row["customer_key"] in ("cif:1", "cif:3")
    ),
    ("star_tier = 6",): lambda _: False,
}
TAGGED = "star_tier >= 4"


def literal(value: object, kind: str) -> str:
    return "cast(null as " + kind + ")" if value is None else f"cast('{value}' as {kind})"


def rows_sql(rows: list[Row], kinds: dict[str, str]) -> str:
    return " union all ".join(
        "select " + ", ".join(f"{literal(row[name], kind)} as {name}" for name, kind in kinds.items()) for row in rows
    )


@pytest.fixture
def bank(any_settings: Settings) -> Settings:
    """The customers, their policy and one tag, published."""
    built = Built(any_settings)
    kinds = {"customer_key": "varchar", "as_of_date": "date", "star_tier": "integer", "aum_amount": "decimal(38,2)"}
    built.model("marts.customer_360", rows_sql(CUSTOMERS, kinds | {"occupation": "varchar", "opened_date": "date"}))
    policy = [
        {
            "customer_key": key,
            "is_allowed": allowed,
            "block_reason": why,
            "is_control": control,
            "talk_channel": "phone",
        }
        | {"is_service_allowed": True, "service_block_reason": None, "owner": "rm", "rm_id": "R1", "branch_code": "=B1"}
        for key, (allowed, why, control) in POLICY.items()
    ]
    flags = dict.fromkeys(("is_allowed", "is_control", "is_service_allowed"), "boolean")
    texts = ("customer_key", "block_reason", "service_block_reason", "talk_channel", "owner", "rm_id", "branch_code")
    built.model("actions.contact_policy", rows_sql(policy, dict.fromkeys(texts, "varchar") | flags))
    tagged = [row | {"tag": "affluent"} for row in CUSTOMERS if (row["star_tier"] or 0) >= 4]
    built.model("marts.customer_tags", rows_sql(tagged, {"customer_key": "varchar", "tag": "varchar"}))
    states = [
        {"tag": tag, "version": 1, "state": state, "is_current": True}
        for tag, state in (("affluent", "active"), ("over", "expired"))
    ]
    named = {"tag": "varchar", "version": "integer", "state": "varchar", "is_current": "boolean"}
    built.model("marts.tags", rows_sql(states, named))
    parties = [{"party_key": key, "customer_key": key} for key in POLICY]
    parties += [{"party_key": "online:4", "customer_key": "cif:4"}]  # absorbed
    built.model("marts.dim_party", rows_sql(parties, {"party_key": "varchar", "customer_key": "varchar"}))
    warehouse.publish(any_settings, DAY, "run")
    return any_settings


def test_sizes_equal_what_python_counts(bank: Settings) -> None:
    for texts, question in QUESTIONS.items():
        found = count(bank, [condition_of(text) for text in texts])
        members = {row["customer_key"] for row in CUSTOMERS if question(row)}
        allowed = {key for key in members if key in POLICY and POLICY[key][0] and not POLICY[key][2]}
        assert (found.members, found.contactable) == (len(members), len(allowed)), texts
        assert sum(found.blocked.values()) == len(members - allowed), texts
        if len(texts) == 1:
            assert found.each == (len(members),), texts
    found = count(bank, [condition_of("star_tier >= 4")])
    assert found.blocked == {"opted out": 1, "control group": 1, "unknown to the policy": 1}
    either = count(bank, [condition_of("star_tier = 7"), condition_of("occupation = 教师")], "any")
    assert (either.members, either.each) == (4, (1, 3))


@pytest.mark.faults("formulas")
def test_nobody_is_handed_on_whom_the_policy_forbids_at_that_moment(bank: Settings, tmp_path: Path) -> None:
    found = export(bank, "affluent", tmp_path / "before.csv", "S0042")
    assert (found.members, found.handed_on) == (5, 2)
    assert found.left_out == {"control group": 1, "opted out": 1, "unknown to the policy": 1}
    with (tmp_path / "before.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["customer_key"] for row in rows] == ["cif:1", "cif:4"]
    assert {row["branch_code"] for row in rows} == {"'=B1"}, "no formula for a spreadsheet"
    objected = {"outcome_id": "o1", "action_kind": "retention", "action_date": DAY, "arm": "treatment"}
    objected |= {"business_date": NEXT, "is_done": "true", "outcome": "opted_out", "channel": "phone"}
    additions.add(bank, "action_outcomes", NEXT, [objected | {"party_key": "online:4"}])
    found = export(bank, "affluent", tmp_path / "after.csv", "S0042")
    assert (found.handed_on, found.left_out["opted out"]) == (1, 2), "what was said since the publish counts at once"
    events = read_events(bank.lake, DAY)
    seen = [(one["user_name"], one["page"], one["customer_key"]) for one in events]
    assert seen == [("S0042", "tag_export", key) for key in ("cif:1", "cif:4", "cif:1")]


def test_what_nobody_has_is_not_handed_on(bank: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    for tag, by, words in (("over", "S1", "expired"), ("nobody", "S1", "no tag nobody"), ("affluent", " ", "--by")):
        with pytest.raises(Stop, match=words):
            export(bank, tag, out, by)
    parts = {"description": "d", "owner": "o", "expires_date": date(2026, 6, 30)}
    save(bank, Definition.of(tag="affluent", conditions=(condition_of(TAGGED),), **parts), NEXT, "S1")
    retire(bank, "affluent", NEXT, "S0044", "the week is over")
    with pytest.raises(Stop, match="S0044 has retired affluent"):
        export(bank, "affluent", out, "S1")
    assert not out.exists()
