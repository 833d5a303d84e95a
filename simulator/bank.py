"""A simulated bank: customers who behave, and the files that a bank would send about them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from lakehouse.errors import Stop
from lakehouse.lake.running import part
from simulator import reference
from simulator.adjustments import write_adjustments
from simulator.campaigns import Campaigns
from simulator.channels import Channels
from simulator.deliveries import COMMUNITY, Deliveries
from simulator.draws import Draws
from simulator.faults import plant
from simulator.ledger import Ledger
from simulator.lives import Lives
from simulator.loans import Loans
from simulator.money import Events, Money
from simulator.moods import Moods
from simulator.names import CITIES
from simulator.outlook import LAST_DECISION, Outlook
from simulator.people import People, customer_nos, people, plenty
from simulator.records import Records
from simulator.reference import Managers
from simulator.strain import Strain
from simulator.text import NULL, join
from simulator.timeline import Month, Timeline, to_date
from simulator.truth import DESTINATIONS, LARGE_AMOUNT, LARGE_SHARE, Truth, yuan
from simulator.turn import Turn
from simulator.wishes import Wishes


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
    Stop
        If there is a landing or truth folder already, or the figures make no bank.
    """
    if faults and not (days and only is None):
        raise Stop("faults are planted in the last daily delivery of all feeds: give days, and leave out only")
    bank = _Bank.of(seed, customers, Timeline.of(start, months, days), out, is_hard, only)
    _write_reference(bank)
    write_adjustments(bank.deliveries, bank.draws, bank.timeline, bank.branches)
    step = -(-chunk // COMMUNITY) * COMMUNITY
    for first in range(0, customers, step):
        last = min(first + step, customers)
        _simulate(bank, first, last)
        if progress:
            progress(f"{last:,} of {customers:,} customers simulated")
    planted = plant(bank.deliveries, bank.draws, out / "truth" / "faults.parquet") if faults else 0
    return bank.close(out, planted)


@dataclass(frozen=True)
class _Bank:
    """What all chunks of customers share."""

    customers: int
    branches: int
    is_hard: bool
    timeline: Timeline
    draws: Draws
    staff: Managers
    rich: float  # CNY that a rich customer keeps with the bank
    deliveries: Deliveries
    truth: Truth

    @classmethod
    def of(
        cls, seed: int, customers: int, timeline: Timeline, out: Path, is_hard: bool, only: Collection[str] | None
    ) -> "_Bank":
        if customers < 1:
            raise Stop("a bank needs at least one customer")
        for folder in (out / "landing", out / "truth"):
            if folder.exists():
                raise Stop(f"{folder} exists", "choose another folder, or remove it first")
        draws = Draws(seed)
        branches = min(len(CITIES), -(-customers // COMMUNITY)) * reference.BRANCHES_PER_CITY
        return cls(
            customers,
            branches,
            is_hard,
            timeline,
            draws,
            staff=Managers.of(draws, branches, timeline),
            rich=plenty(draws, customers, timeline),
            deliveries=Deliveries(out / "landing", timeline, only),
            truth=Truth(out / "truth"),
        )

    def close(self, out: Path, faults: int) -> Summary:
        """Write the manifests, and end the files of the truth."""
        self.truth.close()
        rows, files = self.deliveries.close(), len(self.deliveries.files)
        first, last = to_date(self.timeline.first), to_date(self.timeline.last)
        return Summary(out / "landing", out / "truth", self.customers, files, rows, faults, first, last)


@dataclass(frozen=True)
class _Chunk:
    """Customers with consecutive numbers who are simulated together, and everything that they remember."""

    population: People
    moods: Moods
    loans: Loans
    money: Money
    lives: Lives
    strain: Strain
    records: Records
    channels: Channels
    campaigns: Campaigns
    wishes: Wishes
    outlook: Outlook

    @classmethod
    def of(cls, bank: _Bank, first: int, last: int) -> "_Chunk":
        draws, timeline = bank.draws, bank.timeline
        population = people(draws, first, last, bank.customers, timeline, bank.rich)
        moods = Moods.of(draws, population.index, population.is_rich, population.opened_month >= 0)
        loans = Loans.of(draws, population, timeline)
        money = Money.of(draws, population, timeline, loans)
        lives = Lives.of(draws, population, timeline)
        strain = Strain.of(draws, population, moods, money.is_open & ~lives.is_idle(0))
        campaigns = Campaigns.of(draws, population)
        return cls(
            population,
            moods,
            loans,
            money,
            lives,
            strain,
            Records.of(draws, population, timeline, bank.is_hard),
            Channels.of(draws, population, bank.staff),
            campaigns,
            Wishes.of(draws, population, timeline),
            Outlook(money, moods, loans, campaigns, lives, strain, bank.staff),
        )


def _simulate(bank: _Bank, first: int, last: int) -> None:
    """All months of the customers from ``first`` to ``last``."""
    chunk = _Chunk.of(bank, first, last)
    done, total = first * len(bank.timeline.months), bank.customers * len(bank.timeline.months)
    for number, month in enumerate(bank.timeline.months):
        part("customers and months", done + (last - first) * number, total)
        _act(bank, _turn(bank, chunk, month), chunk)
    for owner, party_key, person_id in chunk.records.truth:
        bank.truth.add("persons", owner, {"party_key": party_key, "person_id": person_id})
    bank.truth.flush()
    _write_assignments(bank, chunk.population)


def _turn(bank: _Bank, chunk: _Chunk, month: Month) -> Turn:
    """The next month, with who comes and who leaves in it."""
    draws, moods, money, population, lives = bank.draws, chunk.moods, chunk.money, chunk.population, chunk.lives
    moods.advance(month.index)
    chance = moods.hazard("churn", chunk.outlook.restlessness(month.index, month.first))
    decides = draws.uniform("churn", population.index, month.index) < chance
    idle, is_dead = lives.is_idle(month.index), lives.is_dead(month.index)
    decides = np.where(is_dead, lives.is_settled(month.index), decides)
    leaves = money.is_open & (chunk.loans.missed_since < 0) & decides
    opens = population.opened_month == month.index
    decision = month.first + 1 + draws.integers(LAST_DECISION, "decision", population.index, month.index)
    active = money.is_open & ~leaves & ~idle
    return Turn(
        bank.timeline,
        month,
        draws,
        population,
        moods,
        chunk.strain,
        chunk.campaigns.sales(month, active),
        reference.appeal(draws, bank.timeline, month),
        bank.deliveries,
        Ledger(month),
        opens,
        leaves,
        follows=bank.staff.has_left_lately(population.manager, month.first),
        dies=lives.dies == month.index,
        idle=idle,
        active=active,
        since=np.where(opens, population.opened, month.first),
        until=np.where(leaves, decision, month.last),
    )


def _act(bank: _Bank, turn: Turn, chunk: _Chunk) -> None:
    """Simulate one month, and write its deliveries and its truth."""
    month, money, loans, outlook = turn.month, chunk.money, chunk.loans, chunk.outlook
    if month.index == 0:
        money.bring_forward(turn.ledger, bank.deliveries, month.first)
        who = np.flatnonzero(loans.exists)
        loans.write_loans(bank.deliveries, who, np.full(len(who), month.first))
    start = money.aum
    events = money.month(turn)
    chunk.records.month(turn)
    chunk.channels.month(turn)
    chunk.wishes.month(turn)
    called = chunk.campaigns.month(turn)
    bank.deliveries.flush(month)
    _write_truth(bank.truth, turn, outlook, events, start)
    _write_planted(bank.truth, turn, start)
    effects = {"treatment": _text("retention_call", len(called)), "outcome": _text("churn", len(called))}
    effects |= outlook.retention(turn, called)
    bank.truth.add_by_customer("treatment_effects", chunk.population.index[called], month.last, effects)


def _write_truth(truth: Truth, turn: Turn, outlook: Outlook, events: Events, start: np.ndarray) -> None:
    """Write the month's true events, and the true probabilities on its as-of days."""
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
        in_time = day <= turn.timeline.last
        truth.add_by_customer("events", index[who[in_time]], day[in_time], {"event": _text(name, int(in_time.sum()))})


def _write_planted(truth: Truth, turn: Turn, start: np.ndarray) -> None:
    """Write the month's large movements beside what each customer had on the day before."""
    kinds, parts = [kind for kind, *_ in turn.planted], [columns for _, *columns in turn.planted]
    who, day, cents = (np.concatenate(columns).astype(np.int64) for columns in zip(*parts, strict=True))
    kind = np.repeat(kinds, [len(columns[0]) for columns in parts])
    assets = start[who] + turn.ledger.change_before(who, day)
    share = cents / np.maximum(assets, 100)
    order = np.lexsort((kind, day, who))
    order = order[(cents[order] > 0) & (day[order] <= turn.timeline.last)]
    owner = turn.people.index[who[order]]
    is_large = (share >= LARGE_SHARE) & (cents >= LARGE_AMOUNT * 100) & np.isin(kind, ("large_outflow", "leaving"))
    columns = {
        "party_key": join("cif:", customer_nos(owner)),
        "kind": pa.array(kind[order]),
        "destination": pa.array([DESTINATIONS[name] for name in kind[order]], pa.string()),
        "amount": yuan(cents[order]),
        "assets_amount": yuan(assets[order]),
        "share": share[order],
        "should_alert": is_large[order],
    }
    truth.add_by_customer("planted_outflows", owner, day[order], columns)


def _text(value: str, count: int) -> pa.Array:
    return pa.array([value] * count, pa.string())


def _write_reference(bank: _Bank) -> None:
    """Write the snapshots that no customer changes."""
    draws, timeline = bank.draws, bank.timeline
    for index, period in enumerate(timeline.periods):
        if index < timeline.history_months - 1:
            continue
        for name, rows in {
            "products": reference.products(),
            "branches": reference.branches(draws, bank.branches),
            "relationship_managers": reference.managers(draws, bank.staff, period.last),
            "holidays": reference.holiday_rows(),
            "market_rates": reference.market_rates(draws, timeline.first, period.last),
        }.items():
            count = len(next(iter(rows.values())))
            bank.deliveries.write_snapshot(name, index, rows, np.zeros(count, np.int64))


def _write_assignments(bank: _Bank, population: People) -> None:
    """Who looked after whom, as known at each snapshot: a customer's first manager, and the one who took over."""
    staff, timeline = bank.staff, bank.timeline
    who = np.flatnonzero(population.manager >= 0)
    manager, index = population.manager[who], population.index[who]
    begins = np.maximum(staff.joined[manager], population.opened[who])
    left = staff.left[manager]
    handed_over = np.flatnonzero(left >= begins)
    rows_owner = np.concatenate([index, index[handed_over]])
    rows_manager = np.concatenate([manager, staff.successor(manager[handed_over])])
    valid_from = np.concatenate([begins, staff.gap_ends[manager[handed_over]]])
    valid_to = np.concatenate([left, np.full(len(handed_over), NULL)])
    order = np.lexsort((valid_from, rows_owner))
    rows_owner, rows_manager, valid_from, valid_to = (
        values[order] for values in (rows_owner, rows_manager, valid_from, valid_to)
    )
    for position, period in enumerate(timeline.periods):
        if position < timeline.history_months - 1:
            continue
        known = np.flatnonzero(valid_from <= period.last)
        bank.deliveries.write_snapshot(
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
