"""What tests say to the table of ``make faults``: which fault they plant, on which store, and what they measured.

A test that proves a row has the marker ``faults(row, store=...)``. What it asserts itself it names by ``holds``; the
rest it measures by the fixture `fault`. Only what passed counts: the command reads the report of the tests.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import pytest

from lakehouse import lake, warehouse
from lakehouse.settings import Settings

PROPERTY = "fault"
STORES = ("duckdb", "postgres")
UNBALANCED = """
    with moved as (
        select account_no_token, sum(case when direction = 'C' then amount else -amount end) as net_amount
        from marts.fct_transactions
        group by account_no_token
    ),
    days as (
        select account_no_token, business_date, credit_amount - debit_amount as net_amount, balance_amount,
            lag(balance_amount) over (partition by account_no_token order by business_date) as opening_amount,
            row_number() over (partition by account_no_token order by business_date desc) as recency
        from marts.fct_balances_daily
    )
    select count(*) as account_days,
        count(case when opening_amount + days.net_amount <> balance_amount then 1 end)
        + count(case when recency = 1 and balance_amount <> coalesce(moved.net_amount, 0) then 1 end) as wrong
    from days
    left join moved on days.account_no_token = moved.account_no_token
"""


@dataclass
class Fault:
    """One line of the table, as far as a test has measured it; what is empty says nothing."""

    row: str
    store: str
    injections: int = 1
    readers: list[str] = field(default_factory=list)
    content: str = ""
    account_days: int = 0  # of which opening + postings = closing holds
    rows: int = 0  # that deliveries had, and that are all loaded, quarantined or erased

    def saw(self, state: str) -> None:
        """Note what readers saw after the fault: old, new, or mixed, which is never right."""
        if state not in self.readers:
            self.readers.append(state)
        assert state in ("old", "new"), f"readers see neither the old nor the new state: {state}"

    def balances(self, settings: Settings) -> None:
        """Opening and postings make the closing balance of every account on every day that readers see."""
        (found,) = warehouse.query_serving(settings, UNBALANCED).to_pylist()
        assert found["account_days"] and not found["wrong"], found
        self.account_days = found["account_days"]

    def accounts_for(self, settings: Settings) -> None:
        """Every row that a delivery had is loaded, quarantined or erased; of what was rejected whole, nothing is."""
        judged = [one for one in lake.read_outcomes(settings.lake) if one.is_loaded]
        wrong = [
            one.delivery_id
            for one in judged
            if one.rows_delivered != one.rows_loaded + one.rows_quarantined + one.rows_erased
        ]
        assert not wrong, wrong
        self.rows += sum(one.rows_delivered for one in judged)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-rows", default="", help="rows of the table of faults; other tests are left out")
    parser.addoption("--kills", type=int, default=2, help="random moments at which each store's run is killed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test says to which row it belongs before it begins: it may not come to its end."""
    rows = set(filter(None, config.getoption("fault_rows").split(",")))
    chosen, others = [], []
    for item in items:
        marker = item.get_closest_marker("faults")
        if marker:
            item.user_properties.append((PROPERTY, json.dumps({"row": marker.args[0], "store": _store_of(item)})))
        (chosen if not rows or (marker and marker.args[0] in rows) else others).append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = chosen


def _store_of(item: pytest.Item) -> str:
    """The store that the marker names, or that the test's parameters or fixtures bring."""
    marker = item.get_closest_marker("faults")
    if "store" in marker.kwargs:
        return marker.kwargs["store"]
    chosen = [value for value in item.callspec.params.values() if value in STORES] if hasattr(item, "callspec") else []
    return chosen[0] if chosen else "postgres" if "postgres" in "".join(item.fixturenames) else "duckdb"


@pytest.fixture(autouse=True)
def fault(request: pytest.FixtureRequest, record_property: object) -> Iterator[Fault | None]:
    """The line of the table that the test's marker names; None for all other tests."""
    marker = request.node.get_closest_marker("faults")
    if marker is None:
        yield None
        return
    line = Fault(marker.args[0], _store_of(request.node))
    for name in marker.kwargs.get("holds", ()):
        setattr(line, name, "asserted")
    yield line
    record_property(PROPERTY, json.dumps(asdict(line)))
