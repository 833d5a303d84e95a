"""Trouble spreads from who pays to who is paid; sleepers wake, heirs close accounts: arrays alone, without files."""

from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest

from simulator.draws import Draws
from simulator.lives import Lives
from simulator.moods import Moods
from simulator.people import EXPORTER, SHOP, SUPPLIER, People, people
from simulator.strain import MONTHS_OF_WAGES, Strain
from simulator.timeline import Timeline

CUSTOMERS, MONTHS = 20_480, 24
TIMELINE = Timeline.of(date(2024, 1, 1), MONTHS, 0)


@pytest.fixture(scope="module")
def population() -> People:
    return people(Draws(5), 0, CUSTOMERS, CUSTOMERS, TIMELINE, 7_500_000)


@pytest.fixture(scope="module")
def moods(population: People) -> Moods:
    return Moods.of(Draws(5), population.index, population.is_rich, population.opened_month >= 0)


@pytest.fixture(scope="module")
def strained(population: People, moods: Moods) -> list[tuple[Strain, dict[str, np.ndarray]]]:
    """The state before each month, and what happens in it, with moods that do not move."""
    everyone = np.ones(len(population), bool)
    strain = Strain.of(Draws(5), population, moods, everyone)

    def months() -> Iterator[tuple[Strain, dict[str, np.ndarray]]]:
        for month in range(MONTHS):
            before = Strain(**{name: getattr(strain, name) for name in Strain.__dataclass_fields__})
            yield before, strain.advance(month, moods, everyone)

    return list(months())


def test_as_many_are_in_trouble_in_the_first_month_as_in_the_last(
    population: People, strained: list[tuple[Strain, dict[str, np.ndarray]]]
) -> None:
    share = [strain.is_troubled(month).mean() for month, (strain, _) in enumerate(strained)]
    assert min(share) > 0.01
    assert max(share[:6]) == pytest.approx(max(share[-6:]), rel=0.25)


@pytest.mark.parametrize("of", ["main payer lost", "buyers in trouble"])
def test_an_enterprise_falters_more_often_after_its_payers_have(
    population: People, strained: list[tuple[Strain, dict[str, np.ndarray]]], of: str
) -> None:
    hit, months_hit, others, months_of_others = 0, 0, 0, 0
    for month, (strain, happened) in enumerate(strained):
        free = population.is_enterprise & (strain.until < month)
        lost = (strain.lost_since < month) & (strain.lost_since >= month - 3)
        buyers = population.share_bought(strain.is_troubled(month - 1)) > 0.1
        exposed = free & (lost if of == "main payer lost" else buyers & ~lost)
        falters = np.isin(np.arange(len(population)), happened["trouble"])
        hit, months_hit = hit + (falters & exposed).sum(), months_hit + exposed.sum()
        others, months_of_others = (
            others + (falters & free & ~exposed).sum(),
            months_of_others + (free & ~exposed).sum(),
        )
    assert months_hit > 100
    assert hit / months_hit > 2 * others / months_of_others


def test_wages_stop_when_the_employer_has_been_in_trouble_for_long(
    population: People, strained: list[tuple[Strain, dict[str, np.ndarray]]]
) -> None:
    position = np.where(population.employer >= 0, population.employer, 0)
    stopped = 0
    for month, (strain, happened) in enumerate(strained):
        long_ago = strain.is_troubled(month)[position] & (month - strain.since[position] >= MONTHS_OF_WAGES)
        staff = np.flatnonzero((population.employer >= 0) & (population.earns == 1) & long_ago & (strain.until < month))
        assert np.isin(staff, happened["pay_stop"]).all()
        stopped += len(staff)
    assert stopped > 50


def test_trouble_strikes_after_it_began_and_guarantors_after_they_were_called(population: People, moods: Moods) -> None:
    strain = Strain.of(Draws(5), population, moods, np.zeros(len(population), bool))
    assert not strain.strikes(5).any()
    strain.since[7], strain.until[7], strain.called[8] = 5, 7, 5
    assert [bool(strain.strikes(month)[7]) for month in range(4, 9)] == [False, False, True, True, False]
    assert [bool(strain.strikes(month)[8]) for month in range(4, 10)] == [False, False, True, True, True, False]


def test_suppliers_have_several_buyers_and_trades_are_spread(population: People) -> None:
    trade = population.trade[population.is_enterprise]
    share = np.bincount(trade, minlength=4) / len(trade)
    assert share[SHOP] > share[SUPPLIER] > share[EXPORTER] > 0.08
    buyers = np.bincount(population.supplier[population.supplier >= 0], minlength=CUSTOMERS)
    assert set(population.trade[buyers > 0]) == {SUPPLIER}
    assert 2 < buyers[population.trade == SUPPLIER].mean() < 5


def test_as_many_accounts_sleep_in_the_first_month_as_in_the_last(population: People) -> None:
    lives = Lives.of(Draws(5), population, TIMELINE)
    asleep = [lives.is_asleep(month).mean() for month in (0, 12, 23, 35)]
    assert 0.06 < min(asleep) < max(asleep) < 0.13
    assert max(asleep) < 1.15 * min(asleep)


def test_the_dead_are_old_and_their_accounts_are_closed_months_later(population: People) -> None:
    lives = Lives.of(Draws(5), population, TIMELINE)
    dies = lives.dies < MONTHS
    assert 0.002 < dies.mean() * 12 / MONTHS < 0.008
    assert population.birth[dies].mean() < population.birth[~dies].mean() - 365 * 5
    assert not (dies & (population.is_enterprise | population.is_duplicate)).any()
    assert set((lives.settled - lives.dies)[dies].tolist()) == {2, 3, 4, 5, 6, 7}
