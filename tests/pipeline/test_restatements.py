"""What a publish shows of past dates otherwise than the one before is said, with the deliveries behind it."""

import json
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from c360.cli.main import app
from lakehouse import warehouse
from lakehouse.settings import Settings
from tests.pipeline.conftest import D1, D2, LAST_OF_HISTORY, Undisturbed

POSTINGS = "marts.fct_balances_daily", "posting_count"
Key = tuple[str, str, date]


def figures(settings: Settings) -> dict[Key, Decimal]:
    rows = warehouse.query_serving(settings, "select * from marts.daily_figures").to_pylist()
    return {(row["table_name"], row["measure"], row["figure_date"]): row["figure_value"] for row in rows}


def restated(settings: Settings) -> dict[Key, list[dict]]:
    """By figure, in the order of the publishes."""
    found: dict[Key, list[dict]] = {}
    for row in warehouse.query_serving(
        settings, "select * from ops.restatements order by after_publish_id"
    ).to_pylist():
        found.setdefault((row["table_name"], row["measure"], row["figure_date"]), []).append(row)
    return found


def test_a_restatement_leads_from_what_was_shown_to_what_is_shown(history: Settings, day_by_day: Undisturbed) -> None:
    """The second day has a late row of the second last of February; what readers saw before is in another store."""
    before, now, told = figures(history), figures(day_by_day.settings), restated(day_by_day.settings)
    assert restated(history) == {}
    moved = {key for key, value in before.items() if now.get(key) != value}
    assert (*POSTINGS, D1 - timedelta(days=2)) in moved
    assert moved <= {key for key in told if key[2] <= LAST_OF_HISTORY} and all(key[2] <= D2 for key in told)
    for key in moved:
        assert (told[key][0]["value_before"], told[key][-1]["value_after"]) == (before[key], now.get(key))
    for rows in told.values():
        assert all(one["value_after"] == later["value_before"] for one, later in pairwise(rows))


def test_it_names_the_late_and_the_corrected_delivery(day_by_day: Undisturbed, monkeypatch: pytest.MonkeyPatch) -> None:
    told = restated(day_by_day.settings)
    late = told[(*POSTINGS, D1 - timedelta(days=2))][0]
    assert f"transactions/{D2}/v1-" in late["deliveries"] and late["published_date"] == D1
    named = [row["deliveries"] for rows in told.values() for row in rows if row["deliveries"]]
    assert any(f"transactions/{D1}/v2-" in deliveries for deliveries in named)
    for name, value in day_by_day.settings.environment().items():
        monkeypatch.setenv(name, value)
    shown = json.loads(CliRunner().invoke(app, ["restatements", "--json"]).stdout)["restatements"]
    assert len(shown) == sum(map(len, told.values()))
