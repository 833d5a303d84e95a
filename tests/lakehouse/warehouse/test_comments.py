"""Readers' tools show what every table and column means, and in which unit a figure is."""

from datetime import date

import pytest
import yaml

from lakehouse import warehouse
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse.comments import comments_of
from lakehouse.warehouse.live import ACTION as LIVE_ACTION
from lakehouse.warehouse.live import ALERT, FLOW, LIVE
from lakehouse.warehouse.publication import Comment, Model
from tests.lakehouse.warehouse.built import Built

DAY = date(2026, 3, 1)
MIRRORED = {"marts.fund_flow_daily": FLOW, "marts.outflow_alerts": ALERT, "actions.outflow_actions": LIVE_ACTION}


def comments(settings: Settings) -> dict[tuple[str, str | None], str | None]:
    """Comments that readers see, by published name and column."""
    with warehouse.store_of(settings).shown(settings) as shown:
        return {(name, column): text for name, column, text in shown.comments}


@pytest.fixture
def built(any_settings: Settings) -> Built:
    """Models as dbt describes them: a table, a view, and what the intraday loop mirrors."""
    built = Built(any_settings)
    for name, columns in MIRRORED.items():
        nothing = ", ".join(f"cast(null as {type_}) as {column}" for column, type_ in columns)
        built.model(name, f"select {nothing}", described={column: f"The {column}" for column, _ in columns})
    sql = "select cast(1 as decimal(18,2)) as aum_amount, cast(0.5 as double precision) as leak_rate, 'x' as wording"
    described = {"aum_amount": 'It\'s "assets" % with us', "leak_rate": "Share that left", "wording": "资产"}
    built.model("marts.assets", sql, described=described)
    view = "select aum_amount from build_marts.assets"
    built.model("marts.sums", view, "view", reads=("marts.assets",), described={"aum_amount": "Assets"})
    return built


def test_nothing_is_published_without_a_comment_and_amounts_name_their_currency(built: Built) -> None:
    warehouse.publish(built.settings, DAY, "run 1")
    shown = comments(built.settings)
    assert {name.split(".")[0] for name, _ in shown} == {"marts", "actions", "ops"}
    assert {table.full_name for table in LIVE} | {"marts.fund_flow", "ops.publications"} <= {name for name, _ in shown}
    assert [place for place, text in shown.items() if not text] == []
    assert [place for place, text in shown.items() if "amount" in str(place[1]) and not text.endswith("[CNY]")] == []
    assert shown["marts.assets", "aum_amount"] == 'It\'s "assets" % with us [CNY]'
    assert shown["marts.assets", "leak_rate"] == "Share that left [1 = 100 %]"
    assert shown["marts.assets", "wording"] == "资产"
    assert shown["marts.sums", "aum_amount"] == "Assets [CNY]"


def test_comments_follow_what_changes_and_outlive_what_does_not(built: Built) -> None:
    settings = built.settings
    warehouse.publish(settings, DAY, "run 1")
    before = comments(settings)
    built.execute("update build_marts.assets set aum_amount = 2")
    built.model("ops.runs", "select 1 as run", described={"run": "Number"})
    warehouse.publish(settings, DAY, "run 2", schemas=("ops",))
    assert comments(settings) == before | {("ops.runs", None): "Grain: row of runs", ("ops.runs", "run"): "Number"}
    built.execute("drop view build_marts.sums")
    built.model("marts.sums", "select 1 as rows", described={"rows": "How many"})
    warehouse.publish(settings, DAY, "run 3")
    after = comments(settings)
    assert after["marts.sums", "rows"] == "How many"
    assert ("marts.sums", "aum_amount") not in after
    assert after["marts.assets", "wording"] == "资产"


def test_a_column_may_state_a_unit_that_its_name_does_not() -> None:
    comment = Comment("Rates", {"rate": "Yearly", "usual": "Usual"}, {"rate": "percent", "usual": "CNY"})
    model = Model("marts", "rates", None, False, False, (), comment)
    assert comments_of([model], "CNY")["marts.rates"].columns == {"rate": "Yearly [percent]", "usual": "Usual [CNY]"}


def test_the_models_of_the_bank_describe_every_column_that_live_tables_show() -> None:
    described = {}
    for page in ("marts/money/_money__models.yml", "actions/_actions__models.yml"):
        for model in yaml.safe_load((PROJECT / "dbt_project" / "models" / page).read_text())["models"]:
            described[model["name"]] = {column["name"] for column in model.get("columns", ())}
    for table in LIVE:
        if table.mirrors:
            assert {name for name, _ in table.columns} <= described[table.mirrors.split(".")[1]], table.full_name


def test_views_that_name_the_day_change_without_everything_else(settings: Settings) -> None:
    """As those do that end at the business date: a day writes them and their comments, not a thousand others."""
    built, layouts = Built(settings), set()
    built.model("marts.facts", "select 1 as amount", described={"amount": "Sum"})
    for run in (1, 2, 3):
        built.execute("drop view if exists build_marts.days")
        view = f"select amount, {run} as run from build_marts.facts"
        built.model("marts.days", view, "view", reads=("marts.facts",), described={"amount": "Sum", "run": "Number"})
        warehouse.publish(settings, DAY, f"run {run}", schemas=("ops",) if run == 2 else None)
        shown = comments(settings)
        assert (shown["marts.days", "amount"], shown["marts.days", None]) == ("Sum [CNY]", "Grain: row of days")
        layouts |= {row["layout"] for row in warehouse.query_serving(settings, "from ops.store").to_pylist()}
    assert warehouse.query_serving(settings, "select run from marts.days").to_pylist() == [{"run": 3}]
    assert len(layouts) == 1
