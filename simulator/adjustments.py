"""What Finance corrects by hand after the end of a quarter: an amount of a branch; every second one is taken back."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.deliveries import Deliveries
from simulator.draws import Draws
from simulator.reference import branch_codes
from simulator.seasons import season
from simulator.text import coded, join, numbers
from simulator.timeline import Month, Timeline

_QUARTERS = (1, 4, 7, 10)  # months that follow the end of one
_ELEMENTS = ("marts.customer_360.deposit_amount", "marts.customer_360.investment_amount")
_REASONS = ("期末在途款项，系统次月入账", "产品分类有误，总行已更正")  # by element
_STAFF = ("S0061", "S0062", "S0063", "S0064")
_EARLY = 0.3  # share of a month by which the books of the one before are closed
_LEAST, _MOST = 20_000, 400_000  # yuan


@dataclass(frozen=True)
class _Lines:
    """Adjustments of several months; every array has one entry per line."""

    number: np.ndarray
    month: np.ndarray  # index
    since: np.ndarray  # day from whose end on it counts
    element: np.ndarray
    branch: np.ndarray
    cents: np.ndarray
    reverses: np.ndarray  # number of the line that it takes back, 0 for none

    def of(self, chosen: np.ndarray) -> "_Lines":
        return _Lines(**{name: values[chosen] for name, values in vars(self).items()})


def write_adjustments(deliveries: Deliveries, draws: Draws, timeline: Timeline, branches: int) -> None:
    """Write the feed: an adjustment after each quarter's end, and every second one taken back in the month after."""
    made = _made(draws, timeline, branches)
    taken_back = made.of(np.arange(len(made.number)) % 2 == 0)
    reversals = replace(
        taken_back,
        number=taken_back.number + 1,
        month=taken_back.month + 1,
        cents=-taken_back.cents,
        reverses=taken_back.number,
    )
    for month in timeline.months:
        for lines in (made, reversals):
            _write(deliveries, draws, month, lines.of(lines.month == month.index))
        deliveries.flush(month)


def _made(draws: Draws, timeline: Timeline, branches: int) -> _Lines:
    quarters = [month for month in timeline.months if month.number in _QUARTERS and month.index]
    month = np.array([quarter.index for quarter in quarters], np.int64)
    hundreds = _LEAST // 100 + draws.integers((_MOST - _LEAST) // 100, "adjustment amount", month)
    return _Lines(
        number=10 * (month + 1),
        month=month,
        since=np.array([quarter.first - 1 for quarter in quarters], np.int64),
        element=draws.integers(len(_ELEMENTS), "adjustment element", month),
        branch=draws.integers(branches, "adjustment branch", month),
        cents=hundreds * 10_000 * np.where(draws.uniform("adjustment sign", month) < 0.5, -1, 1),
        reverses=np.zeros(len(month), np.int64),
    )


def _write(deliveries: Deliveries, draws: Draws, month: Month, lines: _Lines) -> None:
    number, count = lines.number, len(lines.number)
    day = season(month).day("office", _EARLY * draws.uniform("adjustment day", number))
    prepares = draws.integers(len(_STAFF), "adjustment prepared", number)
    approves = (prepares + 1 + draws.integers(len(_STAFF) - 1, "adjustment approved", number)) % len(_STAFF)
    codes = branch_codes(int(lines.branch.max(initial=0)) + 1)
    no_one = pa.array(lines.reverses == 0)
    deliveries.write(
        "adjustments",
        {
            "adjustment_id": _ids(number),
            "business_date": day,
            "effective_date": np.where(lines.reverses, day, lines.since),
            "element": coded(_ELEMENTS, lines.element),
            "branch_code": coded(codes, lines.branch),
            "amount": lines.cents,
            "reason": coded(_REASONS, lines.element),
            "evidence_reference": join("FIN-", numbers(number, 6)),
            "reverses_adjustment_id": pc.if_else(no_one, pa.scalar(None, pa.string()), _ids(lines.reverses)),
            "prepared_by": coded(_STAFF, prepares),
            "approved_by": coded(_STAFF, approves),
        },
        day,
        np.zeros(count, np.int64),
    )


def _ids(number: np.ndarray) -> pa.Array:
    return join("ADJ", numbers(number, 6))
