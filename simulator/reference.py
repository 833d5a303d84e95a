"""What the bank is made of beside its customers: products, branches, relationship managers, holidays, market rates."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from simulator import names
from simulator.draws import Draws
from simulator.text import NULL, Coded, Values, coded, join, numbers
from simulator.timeline import Month, Timeline, to_date, to_day

BRANCHES_PER_CITY = 3
MANAGERS_PER_BRANCH = 4

PRODUCTS = (
    # code, name, family, risk rating, minimum, term days, yearly rate
    ("CA01", "单位活期存款", "current", "PR1", 0, None, 0.001),
    ("SA01", "个人活期储蓄", "savings", "PR1", 0, None, 0.001),
    ("SA02", "薪享储蓄", "savings", "PR1", 0, None, 0.002),
    ("FD03", "三个月定期存款", "fixed_deposit", "PR1", 50, 90, 0.0115),
    ("FD06", "六个月定期存款", "fixed_deposit", "PR1", 50, 180, 0.0135),
    ("FD12", "一年定期存款", "fixed_deposit", "PR1", 50, 365, 0.0155),
    ("SU01", "步步高存款", "step_up_deposit", "PR1", 10_000, 365, 0.0175),
    ("PP01", "安心保本", "principal_protected", "PR1", 10_000, 90, 0.02),
    ("SD01", "汇率挂钩结构性存款", "structured_deposit", "PR2", 10_000, 180, 0.023),
    ("WM01", "稳健理财九十天", "fixed_term_wealth", "PR2", 10_000, 90, 0.027),
    ("WM02", "稳健理财一百八十天", "fixed_term_wealth", "PR2", 10_000, 180, 0.029),
    ("WL01", "长盈理财一年", "long_term_wealth", "PR3", 50_000, 365, 0.033),
    ("FU01", "债券基金", "fund", "PR2", 100, None, 0.03),
    ("FU02", "混合基金", "fund", "PR4", 100, None, 0.05),
    ("FU03", "股票指数基金", "fund", "PR5", 100, None, 0.06),
    ("PM01", "积存金", "precious_metal", "PR4", 500, None, 0.05),
    ("LN01", "个人消费贷款", "loan", None, 10_000, None, 0.0435),
    ("LN02", "个人住房贷款", "loan", None, 100_000, None, 0.0385),
    ("LN03", "小微经营贷款", "loan", None, 50_000, None, 0.045),
    ("CD01", "借记卡", "card", None, None, None, None),
    ("CC01", "信用卡", "card", None, None, None, None),
)
PRODUCT_CODES = tuple(row[0] for row in PRODUCTS)
PRODUCT = {code: position for position, code in enumerate(PRODUCT_CODES)}
TERMS = np.array([row[5] or 0 for row in PRODUCTS])  # days, 0 without a term
RATES = np.array([row[6] or 0.0 for row in PRODUCTS])
RISKS = np.array([int(row[3][2]) if row[3] else 0 for row in PRODUCTS])

_HOLIDAYS = {
    # First and last day off; 2027 is a projection of the usual pattern.
    "元旦": "2024-01-01/2024-01-01 2025-01-01/2025-01-01 2026-01-01/2026-01-03 2027-01-01/2027-01-03",
    "春节": "2024-02-10/2024-02-17 2025-01-28/2025-02-04 2026-02-15/2026-02-23 2027-02-05/2027-02-11",
    "清明节": "2024-04-04/2024-04-06 2025-04-04/2025-04-06 2026-04-04/2026-04-06 2027-04-03/2027-04-05",
    "劳动节": "2024-05-01/2024-05-05 2025-05-01/2025-05-05 2026-05-01/2026-05-05 2027-05-01/2027-05-05",
    "端午节": "2024-06-08/2024-06-10 2025-05-31/2025-06-02 2026-06-19/2026-06-21 2027-06-09/2027-06-09",
    "中秋节": "2024-09-15/2024-09-17 2026-09-25/2026-09-27 2027-09-15/2027-09-15",
    "国庆节": "2024-10-01/2024-10-07 2025-10-01/2025-10-08 2026-10-01/2026-10-07 2027-10-01/2027-10-07",
}
_WORKDAYS = (
    "2024-02-04 2024-02-18 2024-04-07 2024-04-28 2024-05-11 2024-09-14 2024-09-29 2024-10-12 2025-01-26 2025-02-08 "
    "2025-04-27 2025-09-28 2025-10-11 2026-01-04 2026-02-14 2026-02-28 2026-05-09 2026-09-20 2026-10-10"
)


_USUAL_GAP, _WIDE_GAP = 0.002, 0.003  # of outside yields over our one-year deposit


def holidays() -> tuple[np.ndarray, Coded, np.ndarray]:
    """(day, name, is_workday) of public holidays and made-up working days, 2024 to 2027."""
    table = (*_HOLIDAYS, "调休")
    off = [
        (day, table.index(name))
        for name, spans in _HOLIDAYS.items()
        for first, last in (span.split("/") for span in spans.split())
        for day in range(to_day(date.fromisoformat(first)), to_day(date.fromisoformat(last)) + 1)
    ]
    worked = [(to_day(date.fromisoformat(day)), len(_HOLIDAYS)) for day in _WORKDAYS.split()]
    days, codes = np.array(sorted(off + worked)).T
    return days, coded(table, codes), codes == len(_HOLIDAYS)


@dataclass(frozen=True)
class Managers:
    """Relationship managers; some leave, and a colleague of the branch takes over."""

    branch: np.ndarray  # index of the branch
    joined: np.ndarray  # day
    left: np.ndarray  # day, NULL while employed

    @classmethod
    def of(cls, draws: Draws, branches: int, timeline: Timeline) -> "Managers":
        index = np.arange(branches * MANAGERS_PER_BRANCH)
        joined = timeline.first - 200 - draws.integers(3_000, "manager joined", index)
        leaves = timeline.first + draws.integers(1_460, "manager left", index)
        is_leaving = (draws.uniform("manager leaves", index) < 0.5) & (index % MANAGERS_PER_BRANCH > 0)
        return cls(index // MANAGERS_PER_BRANCH, joined, np.where(is_leaving, leaves, NULL))

    @property
    def gap_ends(self) -> np.ndarray:
        """Day on which a successor takes over; for some weeks before nobody is in charge. NULL while employed."""
        index = np.arange(len(self.left))
        return np.where(self.left == NULL, NULL, self.left + 14 + index * 7_919 % 31)

    def in_charge(self, manager: np.ndarray, day: np.ndarray) -> np.ndarray:
        """The manager on the day, or who takes over."""
        return np.where((self.left[manager] != NULL) & (self.left[manager] < day), self.successor(manager), manager)

    def has_left_lately(self, manager: np.ndarray, day: int) -> np.ndarray:
        """True where the manager (-1 for nobody) left in the quarter before the day."""
        left = self.left[manager]
        return (manager >= 0) & (left != NULL) & (left < day) & (left >= day - 92)

    def successor(self, manager: np.ndarray) -> np.ndarray:
        """Who takes over: the first manager of the branch, who stays."""
        return self.branch[manager] * MANAGERS_PER_BRANCH


def manager_ids(manager: np.ndarray) -> pa.Array:
    """Numbers of relationship managers, for instance RM00012."""
    return join("RM", numbers(manager, 5))


def branch_codes(branches: int) -> tuple[str, ...]:
    """Codes of the first branches, B0000 on."""
    return tuple(f"B{index:04d}" for index in range(branches))


def branch_city(branches: int) -> np.ndarray:
    """The city of each branch, as index of ``names.CITIES``."""
    return np.arange(branches) // BRANCHES_PER_CITY


def products() -> dict[str, Values]:
    """The product catalogue, as the feed's columns."""
    columns = list(zip(*PRODUCTS, strict=True))
    return {
        "product_code": pa.array(columns[0]),
        "product_name": pa.array(columns[1]),
        "product_family": pa.array(columns[2]),
        "risk_rating": pa.array(columns[3]),
        "minimum_amount": np.array([NULL if value is None else value * 100 for value in columns[4]]),
        "term_days": np.array([NULL if value is None else value for value in columns[5]]),
        "interest_rate": np.array([np.nan if value is None else value for value in columns[6]]),
    }


def branches(draws: Draws, count: int) -> dict[str, Values]:
    """The branches with pay and unemployment of their places, as the feed's columns."""
    index = np.arange(count)
    city, road = branch_city(count), index * 7 % len(names.ROADS)
    salary = np.round(11_000 * 0.985**city * (0.9 + 0.2 * draws.uniform("branch salary", index))) * 100
    return {
        "branch_code": pa.array(branch_codes(count)),
        "branch_name": pa.array(
            [f"{names.CITIES[c][0][:-1]}{names.ROADS[r]}支行" for c, r in zip(city, road, strict=True)]
        ),
        "branch_name_en": pa.array(
            [f"{names.CITIES[c][3]} {names.ROADS_EN[r]} Branch" for c, r in zip(city, road, strict=True)]
        ),
        "city": pa.array([names.CITIES[c][0] for c in city]),
        "region": pa.array([names.CITIES[c][1] for c in city]),
        "average_salary": salary.astype(np.int64),
        "unemployment_rate": 0.03 + 0.035 * draws.uniform("branch unemployment", index),
    }


def managers(draws: Draws, staff: Managers, day: int) -> dict[str, Values]:
    """The managers as known on ``day``."""
    index = np.arange(len(staff.branch))
    surname = draws.integers(40, "manager surname", index)
    given = draws.integers(len(names.GIVEN_FEMALE), "manager given", index)
    return {
        "rm_id": manager_ids(index),
        "rm_name": pa.array([names.SURNAMES[s] + names.GIVEN_FEMALE[g] for s, g in zip(surname, given, strict=True)]),
        "branch_code": coded(branch_codes(int(staff.branch[-1]) + 1), staff.branch),
        "joined_date": staff.joined,
        "left_date": np.where(staff.left <= day, staff.left, NULL),
    }


def outside_yields(draws: Draws, first: int, days: np.ndarray) -> np.ndarray:
    """Yearly yields of money-market funds on the days, as fractions."""
    return 0.0165 + 0.003 * np.sin((days - first) / 120) + 0.0006 * draws.normal("mmf yield", days)


def appeal(draws: Draws, timeline: Timeline, month: Month) -> float:
    """By how much outside yields beat our one-year deposit in the month, as told weekly; about -1 to 1."""
    weekly = np.arange(timeline.first, month.last + 1, 7)
    yields = outside_yields(draws, timeline.first, weekly[weekly >= month.first]).mean()
    return float((yields - _rate_of(1, month.index // 3) - _USUAL_GAP) / _WIDE_GAP)


def _rate_of(code: int, quarter: np.ndarray | int) -> np.ndarray:
    """The policy rate and our deposits' rates of one year and three months (0 to 2), by quarter since the start."""
    return np.maximum(np.array((0.018, 0.0155, 0.0115))[code] - 0.0003 * np.asarray(quarter), 0.005)


def market_rates(draws: Draws, first: int, day: int) -> dict[str, Values]:
    """Rates on the first of each quarter from ``first`` to ``day``; money-market yields weekly."""
    quarterly = [d for d in range(first, day + 1) if to_date(d).day == 1 and to_date(d).month in (1, 4, 7, 10)]
    quarterly = quarterly or [first]
    step = np.arange(len(quarterly))
    weekly = np.arange(first, day + 1, 7)
    table = ("policy", "deposit_1y", "deposit_3m", "mmf_yield")
    return {
        "rate_date": np.concatenate([np.tile(quarterly, 3), weekly]),
        "rate_code": coded(table, np.repeat([0, 1, 2, 3], [len(step)] * 3 + [len(weekly)])),
        "rate": np.concatenate([*(_rate_of(code, step) for code in range(3)), outside_yields(draws, first, weekly)]),
    }


def holiday_rows() -> dict[str, Values]:
    """Public holidays and the weekends worked for them, as the feed's columns."""
    days, name, is_workday = holidays()
    return {"holiday_date": days, "holiday_name": name, "is_workday": is_workday}
