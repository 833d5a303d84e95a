"""What a run rebuilds follows from the deliveries that differ, and from nothing else."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse import lake
from lakehouse.lake import Outcome, Pin, PinnedDelivery
from lakehouse.warehouse import state
from lakehouse.warehouse.changes import BuildState, as_of_dates_to_build, dirty_from
from tests.lakehouse.warehouse import handmade_lake as bank

XREF = Path("lake/identity/2026-03-31-abc.parquet")
VERSION = "a project"
MONTH_ENDS = [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]


@pytest.fixture
def root(tmp_path):
    """Two months at once, then three days."""
    for month in (1, 2):
        rows = [bank.posting(month, date(2026, month, 3))]
        bank.deliver(tmp_path, "transactions", date(2026, month, 28), rows, load="initial")
    for day in (1, 2, 3):
        bank.deliver(tmp_path, "transactions", date(2026, 3, day), [bank.posting(10 + day, date(2026, 3, day))])
        bank.deliver(tmp_path, "branches", date(2026, 3, day), [{"branch_code": f"B{day}"}])
    return tmp_path


def test_first_build_starts_at_the_earliest_row_and_builds_the_whole_grid(root):
    pin = lake.pin(root, date(2026, 3, 3))
    assert dirty_from(None, pin, date(2026, 3, 3)) == date(2026, 1, 3)
    expected = (date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 3), date(2026, 3, 31))
    assert as_of_dates_to_build(None, pin, date(2026, 3, 3), MONTH_ENDS) == expected


def test_a_plain_next_day_touches_that_day_only(root):
    built = BuildState.of(lake.pin(root, date(2026, 3, 2)), XREF, VERSION)
    pin = lake.pin(root, date(2026, 3, 3))
    assert dirty_from(built, pin, date(2026, 3, 3)) == date(2026, 3, 3)
    assert as_of_dates_to_build(built, pin, date(2026, 3, 3), MONTH_ENDS[:2]) == (date(2026, 3, 3),)


def test_the_same_day_again_is_built_again(root):
    pin = lake.pin(root, date(2026, 3, 3))
    built = BuildState.of(pin, XREF, VERSION)
    assert dirty_from(built, pin, date(2026, 3, 3)) == date(2026, 3, 3)
    assert as_of_dates_to_build(built, pin, date(2026, 3, 3), MONTH_ENDS[:2]) == (date(2026, 3, 3),)


def test_an_earlier_date_is_built_forward_from_it(root):
    pin = lake.pin(root, date(2026, 3, 3))
    assert dirty_from(BuildState.of(pin, XREF, VERSION), pin, date(2026, 3, 1)) == date(2026, 3, 1)


def test_late_rows_reach_back_for_marts_and_not_for_features(root):
    built = BuildState.of(lake.pin(root, date(2026, 3, 3)), XREF, VERSION)
    bank.deliver(root, "transactions", date(2026, 3, 4), [bank.posting(20, date(2026, 2, 20))])
    pin = lake.pin(root, date(2026, 3, 4))
    assert dirty_from(built, pin, date(2026, 3, 4)) == date(2026, 2, 20)
    assert as_of_dates_to_build(built, pin, date(2026, 3, 4), MONTH_ENDS[:2]) == (date(2026, 3, 4),)


def test_a_new_version_touches_the_dates_of_the_old_one_too(root):
    built = BuildState.of(lake.pin(root, date(2026, 3, 3)), XREF, VERSION)
    rows = [bank.posting(12, date(2026, 3, 2)), bank.posting(13, date(2026, 3, 3))]
    bank.deliver(root, "transactions", date(2026, 3, 4), rows, version=2, period="2026-03-01")
    assert dirty_from(built, lake.pin(root, date(2026, 3, 4)), date(2026, 3, 4)) == date(2026, 3, 1)


def test_a_delivery_that_came_with_an_old_cutoff_reaches_back_for_features(root):
    built = BuildState.of(lake.pin(root, date(2026, 3, 3)), XREF, VERSION)
    bank.deliver(root, "transactions", date(2026, 2, 10), [bank.posting(30, date(2026, 2, 9))])
    pin = lake.pin(root, date(2026, 3, 3))
    assert as_of_dates_to_build(built, pin, date(2026, 3, 3), MONTH_ENDS[:2]) == (date(2026, 2, 28), date(2026, 3, 3))


def test_snapshots_touch_no_mart_date(root):
    built = BuildState.of(lake.pin(root, date(2026, 3, 3)), XREF, VERSION)
    bank.deliver(root, "branches", date(2026, 2, 1), [{"branch_code": "B0"}])
    assert dirty_from(built, lake.pin(root, date(2026, 3, 3)), date(2026, 3, 3)) == date(2026, 3, 3)


def test_dates_that_were_left_out_are_built(root):
    built = BuildState.of(lake.pin(root, date(2026, 3, 3)), XREF, VERSION)
    pin = lake.pin(root, date(2026, 3, 31))
    assert dirty_from(built, pin, date(2026, 3, 31)) == date(2026, 3, 4)
    assert as_of_dates_to_build(built, pin, date(2026, 3, 31), MONTH_ENDS) == (date(2026, 3, 31),)


def test_state_survives_its_text(root):
    built = BuildState.of(lake.pin(root, date(2026, 3, 3)), XREF, VERSION)
    assert state.from_text(state.to_text(built)) == built
    assert built.identity == "identity/2026-03-31-abc.parquet"


def _outcome(number: int, first: date, cutoff: date) -> Outcome:
    return Outcome(
        "transactions", "branch", f"{cutoff}#{number}", 1, "daily", f"{number:064x}", cutoff, "loaded", None,
        1, 1, 0, first, first, 0, "raw/x", None, (),
    )  # fmt: skip


days = st.dates(date(2026, 1, 1), date(2026, 3, 31))


@given(st.lists(st.tuples(days, days), max_size=12), st.integers(0, 12), days)
def test_no_row_that_changed_lies_before_dirty_from(deliveries, split, business_date):
    items = [PinnedDelivery(_outcome(n, first, cutoff), None) for n, (first, cutoff) in enumerate(deliveries)]
    before, now = Pin(business_date, tuple(items[:split]), ()), Pin(business_date, tuple(items), ())
    start = dirty_from(BuildState.of(before, XREF, VERSION), now, business_date)
    added = [item.outcome.min_business_date for item in items[split:]]
    assert start == min([business_date, business_date + timedelta(days=1), *added])
