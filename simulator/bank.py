"""A simulated bank: customers who behave, and the files that a bank would send about them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from lakehouse.errors import Stop
from simulator import reference
from simulator.campaigns import Campaigns
from simulator.channels import Channels
from simulator.deliveries import COMMUNITY, Deliveries
from simulator.draws import Draws
from simulator.faults import plant
from simulator.ledger import Ledger
from simulator.loans import Loans
from simulator.money import Money
from simulator.moods import Moods
from simulator.names import CITIES
from simulator.outlook import LAST_DECISION, Outlook
from simulator.people import customer_nos, people
from simulator.records import Records
from simulator.reference import Managers
from simulator.text import NULL
from simulator.timeline import Timeline, to_date
from simulator.truth import Truth
from simulator.turn import Turn


@dataclass(frozen=True)
class Summary:
    """What was written."""

    landing: Path
    truth: Path
    customers: int
    deliveries: int
    rows: int
    faults: int
    first_date: date
    last_date: date


def generate(
    customers: int,
    months: int,
    seed: int,
    out: Path,
    *,
    days: int = 0,
    start: date = date(2024, 1, 1),
    faults: bool = False,
    is_hard: bool = False,
    chunk: int = 4096,
    only: Collection[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Summary:
    """Simulate a bank and write its deliveries to ``out/landing`` and the hidden truth to ``out/truth``.

    Parameters
    ----------
    customers
        Number of customer records.
    months
        Months of history, each one delivery per feed (the initial load).
    seed
        The same seed writes the same bytes, whatever the chunk.
    out
        Folder; its ``landing`` and ``truth`` must not exist yet.
    days
        Daily deliveries after the history.
    start
        First day of the history, the first of a month.
    faults
        Plant bad rows and a truncated file in the last day's deliveries; needs ``days``.
    is_hard
        Three in ten fields of the records of persons are damaged, and nobody shows a document online.
    chunk
        Customers simulated together: bounds the memory; rounded up to whole communities of 256.
    only
        Feeds to write; None writes all.
    progress
        Called with a line of text now and then.

    Raises
    ------
    FileExistsError
        If there is a landing or truth folder already.
    ValueError
        If the figures make no bank.
    """
    if customers < 1:
        raise Stop("a bank needs at least one customer")
    if faults and not (days and only is None):
        raise Stop("faults are planted in the last daily delivery of all feeds: give days, and leave out only")
    timeline = Timeline.of(start, months, days)
    landing, hidden = out / "landing", out / "truth"
    for folder in (landing, hidden):
        if folder.exists():
            raise FileExistsError(f"{folder} exists: choose another folder, or remove it first")
    draws = Draws(seed)
    deliveries = Deliveries(landing, timeline, only)
    truth = Truth(hidden)
    branches = min(len(CITIES), -(-customers // COMMUNITY)) * reference.BRANCHES_PER_CITY
    staff = Managers.of(draws, branches, timeline)
    _write_reference(deliveries, draws, staff, branches, timeline)
    step = -(-chunk // COMMUNITY) * COMMUNITY
    for first in range(0, customers, step):
        last = min(first + step, customers)
        _simulate(deliveries, truth, draws, staff, timeline, first, last, customers, is_hard)
        if progress:
            progress(f"{last:,} of {customers:,} customers simulated")
    truth.close()
    planted = plant(deliveries, draws, hidden / "faults.parquet") if faults else 0
    rows = deliveries.close()
    return Summary(landing, hidden, customers, len(deliveries.files), rows, planted, start, to_date(timeline.last))


def _simulate(deliveries, truth, draws, staff, timeline, first, last, customers, is_hard) -> None:
    """All months of the customers from ``first`` to ``last``."""
    population = people(draws, first, last, customers, timeline)
    moods = Moods.of(draws, population.index)
    loans = Loans.of(draws, population, timeline)
    money = Money.of(draws, population, timeline, loans)
    records = Records.of(draws, population, timeline, is_hard)
    channels = Channels.of(draws, population, staff)
    campaigns = Campaigns.of(draws, population)
    outlook = Outlook(money, loans, campaigns)
    for month in timeline.months:
        moods.advance(month.index)
        chance = moods.hazard("churn", campaigns.effect(month.index) + money.unrest(month.index))
        decides = draws.uniform("churn", population.index, month.index) < chance
        leaves = money.is_open & (loans.missed_since < 0) & decides
        opens = population.opened_month == month.index
        decision = month.first + 1 + draws.integers(LAST_DECISION, "decision", population.index, month.index)
        turn = Turn(
            timeline,
            month,
            draws,
            population,
            moods,
            deliveries,
            Ledger(month),
            opens,
            leaves,
            active=money.is_open & ~leaves,
            since=np.where(opens, population.opened, month.first),
            until=np.where(leaves, decision, month.last),
        )
        if month.index == 0:
            money.bring_forward(turn.ledger, deliveries, month.first)
            who = np.flatnonzero(loans.exists)
            loans.write_loans(deliveries, who, np.full(len(who), month.first))
        start = money.aum
        events = money.month(turn)
        records.month(turn)
        channels.month(turn)
        called = campaigns.month(turn)
        deliveries.flush(month)
        _tell(truth, turn, outlook, events, start)
        effects = {"treatment": _text("retention_call", len(called)), "outcome": _text("churn", len(called))}
        effects |= outlook.retention(turn, called)
        truth.add_by_customer("treatment_effects", population.index[called], month.last, effects)
    for owner, party_key, person_id in records.truth:
        truth.add("persons", owner, {"party_key": party_key, "person_id": person_id})
    truth.flush()
    _write_assignments(deliveries, staff, population, timeline)


def _tell(truth: Truth, turn: Turn, outlook: Outlook, events: dict, start: np.ndarray) -> None:
    """Note the month's true events, and the true probabilities on its as-of days."""
    index, money, loans = turn.people.index, outlook.money, outlook.loans
    for day in turn.timeline.as_of_days:
        if turn.month.first <= day <= turn.month.last:
            closed = np.full(len(index), day)
            leavers, closing = events["churn"]
            closed[leavers] = closing - 1
            is_customer = (money.is_open | turn.leaves) & (turn.since <= day) & (closed >= day)
            who = np.flatnonzero(is_customer)
            ahead = {name: values[who] for name, values in outlook.probabilities(turn, day, start).items()}
            ahead["delinquency"] = pa.array(ahead["delinquency"], mask=~loans.is_running[who])
            truth.add_by_customer("hazards", index[who], day, ahead)
    outlook.remember(turn, start)
    for name, (who, day) in events.items():
        told = day <= turn.timeline.last
        truth.add_by_customer("events", index[who[told]], day[told], {"event": _text(name, int(told.sum()))})


def _text(value: str, count: int) -> pa.Array:
    return pa.array([value] * count, pa.string())


def _write_reference(deliveries, draws, staff, branches, timeline) -> None:
    for index, period in enumerate(timeline.periods):
        if index < timeline.history_months - 1:
            continue
        for name, rows in {
            "products": reference.products(),
            "branches": reference.branches(draws, branches),
            "relationship_managers": reference.managers(draws, staff, period.last),
            "holidays": reference.holiday_rows(),
            "market_rates": reference.market_rates(draws, timeline.first, period.last),
        }.items():
            some = next(iter(rows.values()))
            deliveries.write_snapshot(name, index, rows, np.zeros(len(some), np.int64))


def _write_assignments(deliveries, staff, population, timeline) -> None:
    """Who looked after whom, as known at each snapshot: a customer's first manager, and the one who took over."""
    who = np.flatnonzero(population.manager >= 0)
    manager, index = population.manager[who], population.index[who]
    begins = np.maximum(staff.joined[manager], population.opened[who])
    left = staff.left[manager]
    handed_over = np.flatnonzero(left >= begins)
    rows_owner = np.concatenate([index, index[handed_over]])
    rows_manager = np.concatenate([manager, staff.successor(manager[handed_over])])
    valid_from = np.concatenate([begins, left[handed_over] + 1])
    valid_to = np.concatenate([left, np.full(len(handed_over), NULL)])
    order = np.lexsort((valid_from, rows_owner))
    rows_owner, rows_manager, valid_from, valid_to = (
        values[order] for values in (rows_owner, rows_manager, valid_from, valid_to)
    )
    for position, period in enumerate(timeline.periods):
        if position < timeline.history_months - 1:
            continue
        known = np.flatnonzero(valid_from <= period.last)
        deliveries.write_snapshot(
            "rm_assignments",
            position,
            {
                "customer_no": customer_nos(rows_owner[known]),
                "rm_id": reference.manager_ids(rows_manager[known]),
                "valid_from": valid_from[known],
                "valid_to": np.where(valid_to[known] <= period.last, valid_to[known], NULL),
            },
            rows_owner[known],
        )
