"""Outcomes of actions become versions of one delivery, which loses nothing that was there."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from c360.api.sight import WORKLIST
from c360.app.handing_in import working_day
from c360.app.outcomes import FEED, HANDED_IN, WrittenDown, outcome_row
from lakehouse.ingestion import ingest_feed, land
from lakehouse.lake import read_outcomes
from lakehouse.lake.page_views import Event, Journal
from lakehouse.settings import Settings
from tests.c360.app.small import DAY, small_publish

NEXT = DAY + timedelta(days=1)


def write_down(settings: Settings, key: str, source: str, result: str, number: str) -> dict[str, str]:
    shown = small_publish()
    (action,) = shown.rows(WORKLIST, {"customer_key": key, "source": source}, list(shown.columns[WORKLIST.name]))
    row = outcome_row(action, result, number, NEXT, "S0001")
    event = Event(
        event_id=f"{number}-0",
        happened_at=f"2026-11-29T08:30:00.{ord(number):03}",
        business_date=str(DAY),
        publish_id=7,
        user_name="S0001",
        role_name="branch_manager",
        event_kind="write",
        page=FEED,
        customer_key=key,
        detail=result,
        delivered=row,
    )
    Journal(settings.lake).append([event])
    return row


def loaded(settings: Settings) -> list[Mapping[str, object]]:
    """The rows of the day's delivery as a run would take them."""
    ingest_feed(settings, FEED, NEXT)
    outcomes = read_outcomes(settings.lake, FEED)
    assert [one.outcome for one in outcomes][-1] in ("loaded", "replaced")
    assert not any(one.rows_quarantined for one in outcomes)
    return pq.read_table(outcomes[-1].rows_path(settings.lake), partitioning=None).to_pylist()


def test_an_outcome_goes_in_with_the_rest_of_its_list(settings: Settings) -> None:
    write_down(settings, "cif:1", "retention", "promise", "a")
    assert HANDED_IN.hand_in(settings, small_publish(), DAY) == 1
    (row,) = loaded(settings)
    assert (row["party_key"], row["outcome"], row["is_done"], row["arm"]) == ("cif:1", "promised", True, "treatment")
    assert (row["business_date"], row["action_date"], row["reported_by"]) == (NEXT, DAY, "S0001")
    write_down(settings, "cif:2", "outflow_actions", "no_answer", "b")
    assert HANDED_IN.hand_in(settings, small_publish(), DAY) == 1
    assert {row["outcome"] for row in loaded(settings)} == {"promised", "not_reached"}


def test_nothing_new_makes_no_version(settings: Settings) -> None:
    write_down(settings, "cif:1", "retention", "done", "a")
    HANDED_IN.hand_in(settings, small_publish(), DAY)
    assert HANDED_IN.hand_in(settings, small_publish(), DAY) == 0
    loaded(settings)
    assert HANDED_IN.hand_in(settings, small_publish(), DAY) == 0, "a version that was taken in counts, too"
    assert len(list((settings.landing / FEED).glob("*.manifest.json"))) == 1


@pytest.mark.parametrize("is_taken_in", [False, True])
def test_what_another_system_sent_stays(settings: Settings, tmp_path: Path, is_taken_in: bool) -> None:
    theirs = tmp_path / "theirs.dat"
    theirs.write_text(
        "outcome_id|business_date|action_kind|action_date|party_key|arm|is_done|outcome|channel|contact_id\n"
        f"CRM1|{NEXT}|retention|{DAY}|cif:3|treatment|true|accepted|visit|\n"
    )
    land(settings, theirs, FEED, str(NEXT))
    if is_taken_in:
        assert len(loaded(settings)) == 1
        for file in (settings.landing / FEED).iterdir():
            file.unlink()
    write_down(settings, "cif:1", "retention", "refused", "a")
    HANDED_IN.hand_in(settings, small_publish(), DAY)
    assert {(row["party_key"], row["outcome"], row["channel"]) for row in loaded(settings)} == {
        ("cif:3", "accepted", "visit"),
        ("cif:1", "refused", "phone"),
    }


def test_the_rest_of_a_worked_list_goes_in_as_not_done_the_control_group_too(settings: Settings) -> None:
    write_down(settings, "cif:5", "retention", "done", "a")
    HANDED_IN.hand_in(settings, small_publish(), DAY)
    told = {row["party_key"]: (row["arm"], row["is_done"], row["outcome"]) for row in loaded(settings)}
    assert told == {"cif:5": ("treatment", True, "reached"), "cif:2": ("control", False, None)}
    write_down(settings, "cif:2", "outflow_actions", "done", "b")
    HANDED_IN.hand_in(settings, small_publish(), DAY)
    assert len(loaded(settings)) == 3, "nothing is told twice"


def test_the_last_word_counts_and_a_restart_knows_it(settings: Settings) -> None:
    write_down(settings, "cif:1", "retention", "no_answer", "a")
    written = WrittenDown(settings)
    written.add(DAY, write_down(settings, "cif:1", "retention", "promise", "b"))
    for one in (written, WrittenDown(settings)):
        assert {name: row["outcome"] for name, row in one.of(DAY).items()} == {"retention:cif:1": "promised"}


def test_people_work_on_the_next_day_of_delivery(settings: Settings, tmp_path: Path) -> None:
    assert working_day(settings, date(2026, 1, 2)) == date(2026, 1, 3)
    deployment = tmp_path / "bank.yml"
    text = "name: b\ncurrency: CNY\nrequired: [customers]\ndelivery_days: [monday, friday]\n"
    deployment.write_text(text)
    weekly = settings.model_copy(update={"deployment": deployment})
    assert working_day(weekly, date(2026, 1, 2)) == date(2026, 1, 5)
