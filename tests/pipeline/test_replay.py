"""What readers see depends on the deliveries alone: not on the order or the number of runs."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from c360 import pipeline
from lakehouse import warehouse
from lakehouse.settings import Settings
from tests.pipeline.bank import EMPTY, content, copy_of, deliver, deployment_at, lines_of, redeliver
from tests.pipeline.conftest import D1, D2, D3, Undisturbed


def test_the_undisturbed_run_publishes_rows_everywhere(day_by_day: Undisturbed) -> None:
    expected = {"marts.fct_transactions", "marts.customer_360", "features.customer_features", "scores.churn"}
    assert expected <= set(day_by_day.content)
    empty = {name for name, (rows, _) in day_by_day.content.items() if rows == 0}
    assert {name for name in empty if not name.endswith("_intraday")} == set(EMPTY)


# the middle one goes back and forward, as the others do
@pytest.mark.parametrize("day", [D2, *(pytest.param(day, marks=pytest.mark.full) for day in (D1, D3))])
def test_any_date_twice_changes_nothing(day_by_day: Undisturbed, day: date) -> None:
    pipeline.run(day_by_day.settings, day, day)
    assert content(day_by_day.settings.warehouse) == day_by_day.content


@pytest.mark.full  # any date twice goes back as well
def test_dates_out_of_order_change_nothing(history: Settings, day_by_day: Undisturbed, tmp_path: Path) -> None:
    settings = copy_of(history, tmp_path)
    for day in (D2, D1, D3):
        pipeline.run(settings, day, day)
    assert content(settings.warehouse) == day_by_day.content


@pytest.mark.full  # in every run, a build at once equals the days on few rows (tests/dbt/test_incremental.py)
def test_a_full_refresh_after_a_change_of_the_models_equals_the_days(
    history: Settings, day_by_day: Undisturbed, tmp_path: Path
) -> None:
    settings = copy_of(history, tmp_path)
    warehouse.write_state(settings, replace(warehouse.read_state(settings), project="before the change"))
    with duckdb.connect(settings.build) as engine:
        engine.execute("delete from build_marts.fct_balances_daily")  # what stood there is no start
    pipeline.run(settings, D3, D3)
    assert content(settings.warehouse) == day_by_day.content


@pytest.mark.full
def test_one_run_from_nothing_equals_the_days(landing: Path, day_by_day: Undisturbed, tmp_path: Path) -> None:
    settings = deployment_at(tmp_path, landing)
    pipeline.run(settings, D3, D3)
    assert content(settings.warehouse) == day_by_day.content


@pytest.mark.full
def test_one_changed_cent_changes_the_content(
    landing: Path, history: Settings, day_by_day: Undisturbed, tmp_path: Path
) -> None:
    copied = tmp_path / "landing"
    deliver(landing, copied, D3)
    postings = lines_of(copied, "transactions", str(D3))
    posting = dict(zip(postings[0].split("|"), postings[1].split("|"), strict=True))
    sign = 1 if posting["direction"] == "C" else -1
    dearer = posting | {"amount": f"{Decimal(posting['amount']) + Decimal('0.01')}"}
    redeliver(copied, "transactions", str(D3), 1, [postings[0], "|".join(dearer.values()), *postings[2:]], D3)
    balances = lines_of(copied, "balances", str(D3))
    position = balances[0].split("|").index("balance")
    for number, line in enumerate(balances):
        fields = line.split("|")
        if fields[0] == posting["account_no"]:
            fields[position] = f"{Decimal(fields[position]) + sign * Decimal('0.01')}"
            balances[number] = "|".join(fields)
    redeliver(copied, "balances", str(D3), 1, balances, D3)
    settings = copy_of(history, tmp_path, copied)
    pipeline.run(settings, D3, D3)
    changed = content(settings.warehouse)
    for table in ("marts.fct_transactions", "marts.fct_balances_daily", "marts.customer_360"):
        assert changed[table] != day_by_day.content[table]
