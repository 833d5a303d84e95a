"""The bank is like life where docs/SIMULATOR.md says so: figures from deliveries and truth, and bounds that hold."""

from pathlib import Path

import duckdb
import numpy as np
import pytest

from simulator import generate
from simulator.draws import Draws
from simulator.likeness import measure

Figures = dict[str, float]


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Figures]:
    """2,000 customers over two years."""
    folder = tmp_path_factory.mktemp("life")
    generate(2_000, 24, 17, folder)
    return folder, {figure: value for _, figure, value in measure(folder)}


def test_nobody_owns_the_bank_and_the_richest_hundredth_holds_its_share(figures: tuple[Path, Figures]) -> None:
    _, values = figures
    assert values["largest customer, share of assets"] <= 0.02
    assert 0.35 <= values["top 1 %, share of assets"] <= 0.55


def test_a_short_history_leaves_out_what_it_cannot_tell(tmp_path: Path) -> None:
    generate(100, 3, 1, tmp_path)
    told = measure(tmp_path)
    assert "yields" not in {subject for subject, _, _ in told}
    assert {type(value) for _, _, value in told} <= {float, int}


@pytest.mark.parametrize(("customers", "months", "seed"), [(500, 12, 5), (2_000, 12, 23), (5_000, 12, 3)])
def test_concentration_holds_for_other_sizes_and_seeds(tmp_path: Path, customers: int, months: int, seed: int) -> None:
    generate(customers, months, seed, tmp_path)
    values = {figure: value for _, figure, value in measure(tmp_path)}
    of_small = 1.1 if customers < 2_000 else 1.0  # one rich customer more or less changes what all others hold
    assert values["largest customer, share of assets"] <= of_small * 0.02 * 2_000 / min(customers, 2_000)
    assert 0.35 <= values["top 1 %, share of assets"] <= 0.55


@pytest.mark.parametrize("of", ["closing in quarter", "emptied, not closed"])
def test_attrition_goes_on_as_it_began(figures: tuple[Path, Figures], of: str) -> None:
    rates = [value for figure, value in figures[1].items() if figure.startswith(of)]
    first, last = rates[: len(rates) // 2], rates[len(rates) // 2 :]
    assert 0.02 < sum(rates) / len(rates) < 0.06
    assert sum(last) / len(last) == pytest.approx(sum(first) / len(first), rel=0.35)
    assert max(rates) < 2.2 * min(rates)


def test_planted_outflows_are_what_the_ledger_shows(figures: tuple[Path, Figures]) -> None:
    folder, _ = figures
    text = "delim = '|', all_varchar = true, header = true"
    landing, truth = folder / "landing", folder / "truth" / "planted_outflows.parquet"
    planted, known, alerting, differing = (
        duckdb.connect()
        .execute(f"""
        with outgoing as (
            select customer_no, cast(business_date as date) as outflow_date, cast(amount as decimal(18, 2)) as amount,
                   counterparty_bank
            from read_csv('{landing}/transactions/*.dat', {text})
            join (select distinct account_no, customer_no from read_csv('{landing}/accounts/*.dat', {text}))
                using (account_no)
            where direction = 'D'
        )

        select count(*), count(*) filter (where destination in ('broker', 'own_product', 'other_bank')),
               count(*) filter (where should_alert), count(*) filter (where not exists (
                   from outgoing where outgoing.customer_no = planted.customer_no
                       and outgoing.outflow_date = planted.outflow_date and outgoing.amount = planted.amount
                       and (destination <> 'other_bank' or counterparty_bank like '%银行')
                       and (destination <> 'broker' or counterparty_bank like '%证券')
               ))
        from '{truth}' as planted
    """)
        .fetchone()
    )
    assert planted == known
    assert alerting > 200
    assert differing == 0


def test_assets_before_a_planted_outflow_are_those_of_the_day_before(figures: tuple[Path, Figures]) -> None:
    folder, _ = figures
    text = "delim = '|', all_varchar = true, header = true"
    landing, truth = folder / "landing", folder / "truth" / "planted_outflows.parquet"
    rows, astray = (
        duckdb.connect()
        .execute(f"""
        with changes as (
            select account_no as position_no, cast(business_date as date) as day, cast(balance as double) as amount,
                   customer_no
            from read_csv('{landing}/balances/*.dat', {text})
            join (select distinct account_no, customer_no from read_csv('{landing}/accounts/*.dat', {text}))
                using (account_no)
            union all
            select holding_id, cast(business_date as date), cast(market_value as double), customer_no
            from read_csv('{landing}/holdings/*.dat', {text})
        ), positions as (
            select *, lead(day, 1, date '2999-01-01') over (partition by position_no order by day) as next_day
            from changes
        ), assets as (
            select planted.customer_no, outflow_date, planted.kind, any_value(assets_amount) as told,
                   coalesce(sum(positions.amount), 0) as amount
            from '{truth}' as planted
            left join positions on planted.customer_no = positions.customer_no
                and day < outflow_date and next_day >= outflow_date
            group by all
        )

        select count(*), count(*) filter (where abs(told - amount) > 0.01 * amount + 50) from assets
    """)
        .fetchone()
    )
    assert rows > 5_000
    assert astray < 0.01 * rows


def test_the_calendar_shows(figures: tuple[Path, Figures]) -> None:
    _, values = figures
    assert values["branch visits in the first three days of Spring Festival"] == 0
    assert values["branch visits on a Saturday or Sunday over a working day"] < 0.5
    assert values["postings on a weekend day over a working day"] > 1.03
    assert values["cash in the 20 days before Spring Festival over the usual"] > 1.3
    assert values["salaries paid in the month before Spring Festival over the usual"] > 1.2


def test_some_customers_use_the_branch_only_and_some_never(figures: tuple[Path, Figures]) -> None:
    _, values = figures
    assert 0.1 < values["branch only in 180 days"] < 0.35
    assert 0.25 < values["online only"] < 0.6


def test_applications_end_online_at_the_branch_or_nowhere(figures: tuple[Path, Figures]) -> None:
    _, values = figures
    assert 0.2 < values["finished online"] < 0.5
    assert 0.08 < values["finished at the branch"] < 0.25
    assert 0.35 < values["given up"] < 0.65


def test_a_few_per_cent_of_the_leads_become_customers(figures: tuple[Path, Figures]) -> None:
    _, values = figures
    assert 0.015 < values["of the others, opened an account after"] < 0.08


def test_arrears_follow_trouble_and_guarantors_are_called(figures: tuple[Path, Figures]) -> None:
    _, values = figures
    assert 0.15 < values["arrears that follow stopped pay or a faltering business"] < 0.5
    after, ever = (values[f"borrowers in arrears {when}"] for when in ("within 120 days after it", "in any 120 days"))
    assert after > 3 * ever
    assert values["guarantors called, of all arrears"] > 0.05


def test_enterprises_hold_little_cash_and_lean_on_few_payers(figures: tuple[Path, Figures]) -> None:
    _, values = figures
    assert 20 < values["days of its outflow that an enterprise holds, median"] < 70
    assert 0.2 < values["named payers are one for at least 40 %"] < 0.8


def test_some_customers_sleep_and_some_die(figures: tuple[Path, Figures]) -> None:
    _, values = figures
    assert 0.05 < values["nothing moved by the customer in 180 days"] < 0.15
    assert 0.001 < values["deaths a year, of all customers"] < 0.008
    assert 45 < values["days from a death to the closing, median"] < 240


def test_yields_managers_and_campaigns_move_customers(figures: tuple[Path, Figures]) -> None:
    _, values = figures
    assert values["wallets and funds in spending, when their yields appeal most over least"] > 1.15
    left, any_time = "after the manager left", "any customer with a manager"
    assert values[f"closing within 100 days {left}"] > 1.3 * values[f"closing within 100 days, {any_time}"]
    told, not_told = (values[f"buys what is offered, {arm}"] for arm in ("treatment", "control"))
    assert 1.5 * not_told < told < 0.06
    called, left_alone = (
        values[f"leaves within 92 days of a retention call, {arm}"] for arm in ("treatment", "control")
    )
    assert called < left_alone


def test_seeds_are_no_shifted_copies_of_each_other() -> None:
    index = np.arange(1_000)
    one, other = Draws(1).uniform("any", index), Draws(2).uniform("any", index)
    assert not set(one.tolist()) & set(other.tolist())
