"""Cases: what is written down counts at once, nobody signs their own proposal, and each event becomes a delivery."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from c360.access import Grant
from c360.api.sight import sees_case
from c360.app import cases
from c360.app.cases import FEED, HANDED_IN, Case, after, choices, event_row, has_number, opened_row, plain
from lakehouse import warehouse
from lakehouse.ingestion import ingest_feed
from lakehouse.lake import read_outcomes
from lakehouse.lake.page_views import Event, Journal
from lakehouse.settings import Settings
from tests.c360.app.small import DAY, small_publish

NEXT = DAY + timedelta(days=1)
AT = datetime(2026, 11, 29, 8, 30)


def published(key: str = "cif:1", kind: str = "early_warning", **changed: object) -> dict[str, object]:
    """A row of ``actions.cases``."""
    row = {
        "case_id": f"{kind}:{key}:1",
        "case_kind": kind,
        "subject_kind": "customer",
        "subject_key": key,
        "customer_key": key,
        "case_number": 1,
        "business_date": DAY,
        "is_recorded": False,
        "state": "open",
        "is_to_sign": False,
        "owner": None,
        "branch_code": "B1",
        "opened_date": DAY,
        "due_date": NEXT,
        "outcome": None,
        "proposed_by": None,
        "amount_at_risk": Decimal("1234.50"),
        "evidence_en": "CNY 1,234 | unpaid",
        "evidence_zh": "未还 1,234",
        "event_ids": frozenset(),
    }
    return row | changed


def case_of(**changed: object) -> Case:
    return Case(published(**changed), (), "open", False, None, NEXT, None, None)


def told(case: Case, kind: str, by: str, second: int, **values: str) -> dict[str, str]:
    return event_row(case, kind, by, NEXT, AT + timedelta(seconds=second), "n", **values)


def story(*events: tuple[str, str, Mapping[str, str]]) -> Case:
    case = case_of()
    for second, (kind, by, values) in enumerate(events):
        case = after(case, told(case, kind, by, second, **values))
    return case


PLAN, PAID = {"outcome": "plan_agreed"}, {"outcome": "paid"}


@pytest.mark.parametrize(
    ("events", "state", "is_to_sign", "counted"),
    [
        ([("step", "ann", {"step_kind": "agreed"})], "waiting", False, 1),
        ([("handed_over", "ann", {"handed_to": "bob"})], "in work", False, 1),
        ([("proposed", "ann", PAID)], "closed", False, 1),
        ([("proposed", "ann", PLAN)], "waiting", True, 1),
        ([("proposed", "ann", PLAN), ("signed", "Ann ", {})], "waiting", True, 1),
        ([("proposed", "ann", PLAN), ("signed", "bob", {})], "closed", False, 2),
        ([("proposed", "ann", PLAN), ("returned", "bob", {}), ("signed", "bob", {})], "in work", False, 2),
        ([("proposed", "ann", PLAN), ("proposed", "bob", PLAN), ("signed", "bob", {})], "waiting", True, 2),
        ([("signed", "bob", {}), ("proposed", "ann", {"outcome": "won"})], "open", False, 0),
        ([("proposed", "ann", PAID), ("step", "ann", {"step_kind": "called"})], "closed", False, 1),
    ],
)
def test_a_case_stands_as_the_events_say(
    events: list[tuple[str, str, Mapping[str, str]]], state: str, is_to_sign: bool, counted: int
) -> None:
    case = story(*events)
    assert (case.state, case.is_to_sign, len(case.events)) == (state, is_to_sign, counted)


def test_what_is_published_already_counts_once() -> None:
    row = told(case_of(), "proposed", "ann", 0, **PAID)
    assert after(case_of(event_ids=frozenset({row["event_id"]})), row).state == "open"


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("13800138000", True),
        ("138-0013 8000", True),
        ("110101 19900307 123X", True),
        ("６２２２０２１２３４５６７８９０", True),
        ("0571 8765 4321", True),
        ("pays CNY 1,234,567.00 by 2026-01-31", False),
        ("2026年12月31日前还款 20,000", False),
        ("room 402, 3 of 12", False),
        ("2026-01-03 13800138000", True),
    ],
)
def test_a_remark_takes_no_number_of_a_person(text: str, is_refused: bool) -> None:
    assert has_number(text) == is_refused


def test_every_kind_has_steps_and_outcomes_and_some_need_a_second_person() -> None:
    kinds = {"early_warning": "customer", "outflow": "customer", "delivery": "feed", "drift": "model"}
    assert cases.titles().keys() == kinds.keys()
    for kind, subject in kinds.items():
        assert choices(subject, "steps")
        assert {one.needs_signature for one in choices(kind, "outcomes").values()} == {True, False}


def write_down(settings: Settings, row: dict[str, str]) -> None:
    Journal(settings.lake).append(
        [
            Event(
                event_id=row["event_id"],
                happened_at=f"{AT.isoformat()}.{row['event_id'][-3:]}",
                business_date=str(DAY),
                publish_id=7,
                user_name=row["done_by"],
                role_name="risk_officer",
                event_kind="write",
                page=FEED,
                customer_key="cif:1",
                detail=row["event_kind"],
                delivered=row,
            )
        ]
    )


def loaded(settings: Settings) -> dict[str, Mapping[str, object]]:
    """The rows of the day's delivery as a run would take them."""
    ingest_feed(settings, FEED, NEXT)
    outcomes = read_outcomes(settings.lake, FEED)
    assert outcomes[-1].outcome in ("loaded", "replaced") and not outcomes[-1].rows_quarantined
    rows = pq.read_table(outcomes[-1].rows_path(settings.lake), partitioning=None).to_pylist()
    return {row["event_id"]: row for row in rows}


def test_an_event_goes_in_with_what_every_untouched_case_was_opened_for(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    untouched = [published("cif:1"), published("cif:2")]
    table = pa.Table.from_pylist([{k: v for k, v in row.items() if k != "event_ids"} for row in untouched])
    monkeypatch.setattr(warehouse, "query_serving", lambda *_: table)
    note = plain('said "yes" | on\n2026-01-03')
    row = told(case_of(), "step", "S1", 0, step_kind="called", case_note=note, due_date="2026-01-09")
    write_down(settings, opened_row(published("cif:1"), NEXT))
    write_down(settings, row)
    assert HANDED_IN.hand_in(settings, small_publish(), DAY) == 3
    assert HANDED_IN.hand_in(settings, small_publish(), DAY) == 0, "nothing new makes no version"
    rows = loaded(settings)
    assert set(rows) == {"opened:early_warning:cif:1:1", "opened:early_warning:cif:2:1", row["event_id"]}
    opened, step = rows["opened:early_warning:cif:2:1"], rows[row["event_id"]]
    assert (opened["amount"], opened["opened_date"], opened["evidence_en"]) == (
        Decimal("1234.50"),
        DAY,
        "CNY 1,234 / unpaid",
    )
    assert (step["case_note"], step["due_date"], step["done_by"], step["business_date"]) == (
        'said "yes" / on 2026-01-03',
        date(2026, 1, 9),
        "S1",
        NEXT,
    )
    write_down(settings, told(case_of(), "handed_over", "S1", 1, handed_to="S2"))
    assert HANDED_IN.hand_in(settings, small_publish(), DAY) == 1
    assert len(loaded(settings)) == 4, "what was there stays"


def person(role: str, **place: str) -> Grant:
    return Grant("S", (), date(9999, 1, 1), role, **place)


@pytest.mark.parametrize(
    ("who", "of_one", "of_three", "of_feed"),
    [
        (person("risk_officer"), True, True, True),
        (person("branch_manager", branch_code="B1"), True, False, False),
        (person("relationship_manager", rm_id="R2"), False, True, False),
        (person("operator"), False, False, True),
        (person("clerk"), False, False, True),  # whose role lacks the page
    ],
)
def test_a_case_is_seen_by_who_sees_the_customer_or_watches_over_the_system(
    who: Grant, of_one: bool, of_three: bool, of_feed: bool
) -> None:
    rows = [published("cif:1"), published("cif:3"), published("cards", "delivery", customer_key=None)]
    assert [sees_case(who, small_publish(), row) for row in rows] == [of_one, of_three, of_feed]
