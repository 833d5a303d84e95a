"""Dashboards: the same definitions give the same assets, and their figures are those of the metrics."""

import math
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import duckdb
import pytest
import yaml

from c360 import metrics
from c360.bi.assets import Assets, make_assets
from c360.bi.charts import Drawn, draw
from c360.bi.datasets import DAYS_BEFORE_LAST, LAST_OF_MONTH, Datasets
from c360.bi.specs import Chart, Words, read_dashboards
from c360.bi.wording import BRANCHES, ENDING, codes
from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.language import CHINESE, LANGUAGES, words
from lakehouse.settings import Settings
from lakehouse.warehouse import dbt
from tests.pipeline.conftest import Undisturbed
from tests.pipeline.test_metrics import EXPECTED

DASHBOARDS = ["board", "branch", "channels", "fund_flow", "risk", "campaigns", "quality"]
SPECS = read_dashboards()
TITLE = Words(en="Rows", zh="行")
# Columns of text that are shown as they are: keys, files, sentences of the store, and names that a bank gives itself.
AS_THEY_ARE = {"customer_key", "rm_id", "adjustment_id", "campaign_id", "source_file", "column_name"}
SENTENCES = ("_en", "_zh", ENDING)
SOURCE = re.compile(r"from \w+\.(\w+)")


@pytest.fixture(scope="module")
def bank(day_by_day: Undisturbed) -> Settings:
    return day_by_day.settings


@pytest.fixture(scope="module")
def assets(bank: Settings) -> Assets:
    return make_assets(bank)


@pytest.fixture(scope="module")
def datasets(bank: Settings) -> Datasets:
    return Datasets(bank)


@pytest.fixture
def store(bank: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse.open_store(bank.warehouse) as connection:
        yield connection


def test_the_same_definitions_give_the_same_archive(bank: Settings, assets: Assets) -> None:
    assert make_assets(bank).bundle() == assets.bundle()
    with zipfile.ZipFile(BytesIO(assets.bundle())) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    read = {name: yaml.safe_load(text) for name, text in texts.items()}
    assert read["c360/metadata.yaml"]["type"] == "assets"
    identifiers = [asset["uuid"] for asset in read.values() if "uuid" in asset]
    assert len(identifiers) == len(set(identifiers)) == len(read) - 1
    assert list(SPECS) == DASHBOARDS
    assert assets.slugs() == [f"{name}-{language}" for name in DASHBOARDS for language in LANGUAGES]
    assert str(bank.warehouse.parent) not in "".join(texts.values())


def test_what_assets_refer_to_is_there(assets: Assets) -> None:
    read = {path: asset for path, asset in assets.files.items() if "uuid" in asset}
    by_kind = {kind: assets.identifiers(kind) for kind in ("charts", "datasets", "databases")}
    for path, asset in read.items():
        match path.parts[0]:
            case "datasets":
                assert asset["database_uuid"] in by_kind["databases"]
            case "charts":
                assert asset["dataset_uuid"] in by_kind["datasets"]
            case "dashboards":
                places = [one["meta"] for one in asset["position"].values() if "CHART-" in str(one)]
                assert {meta["uuid"] for meta in places if "uuid" in meta} <= by_kind["charts"]
    shown = [
        meta["uuid"]
        for path, asset in read.items()
        if path.parts[0] == "dashboards"
        for one in asset["position"].values()
        if isinstance(one, dict) and one["type"] == "CHART"
        for meta in [one["meta"]]
    ]
    assert sorted(shown) == sorted(by_kind["charts"])


def test_every_metric_is_in_one_dataset(datasets: Datasets) -> None:
    assert {figure.name for dataset in datasets.of_models for figure in dataset.figures} == EXPECTED.keys()


@pytest.mark.parametrize("by", ["", "month", "dimension"])
def test_metrics_of_datasets_are_those_of_the_semantic_layer(
    bank: Settings, datasets: Datasets, store: duckdb.DuckDBPyConnection, by: str
) -> None:
    dimensions = {metric.name: metric.dimensions for metric in metrics.list_metrics(bank)}
    for dataset in datasets.of_models:
        names = [figure.name for figure in dataset.figures]
        shared = sorted(set.intersection(*(set(dimensions[name]) for name in names)))
        assert set(shared) <= {column.name for column in dataset.columns}
        if by == "dimension" and not shared:
            continue
        # one of the customers' where there is one: a join
        divided = {"": [], "month": ["month"], "dimension": shared[-1:]}[by]
        asked = {
            (row[0] if by else None): [number(value) for value in row[len(divided) :]]
            for row in metrics.query_metrics(bank, names, divided).rows
        }
        key = {"": "null", "month": f"cast(date_trunc('month', {dataset.time}) as date)"}.get(by, "".join(shared[-1:]))
        condition = LAST_OF_MONTH if by == "month" else f"{DAYS_BEFORE_LAST} = 0"
        where = f"where {condition}" if dataset.of_a_date else ""
        figures = ", ".join(figure.expression for figure in dataset.figures)
        rows = store.execute(f"select {key}, {figures} from ({dataset.statement}) {where} group by 1").fetchall()
        shown = {row[0]: [number(value) for value in row[1:]] for row in rows}
        assert shown.keys() <= asked.keys()  # MetricFlow fills months without a row
        for one, values in shown.items():
            assert values == pytest.approx(asked[one], rel=1e-9, nan_ok=True), (dataset.name, one)


def number(value: object) -> float:
    return math.nan if value is None else float(value)


def statement(drawn: Drawn) -> str:
    """What Superset asks for a chart, without its limit."""
    parameters, dataset = drawn.parameters, drawn.dataset
    conditions = [
        one["sqlExpression"]
        if one["expressionType"] == "SQL"
        else f"{one['subject']} {one['operator'].replace('==', '=')} {one['comparator']}"
        for one in parameters["adhoc_filters"]
    ]
    figures = [parameters["metric"]] if "metric" in parameters else parameters.get("metrics", [])
    keys = [name for name in (parameters.get("x_axis"), *parameters.get("groupby", [])) if name]
    chosen = [
        *keys,
        *(dataset.by_name[one].expression if isinstance(one, str) else one["sqlExpression"] for one in figures),
    ] or parameters["all_columns"]
    where = f" where {' and '.join(f'({one})' for one in conditions)}" if conditions else ""
    group = f" group by {', '.join(map(str, range(1, len(keys) + 1)))}" if keys else ""
    return f"select {', '.join(chosen)} from ({dataset.statement}) as asked{where}{group}"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_chart_can_be_asked(datasets: Datasets, store: duckdb.DuckDBPyConnection, name: str) -> None:
    for chart in (chart for row in SPECS[name].rows for chart in row):
        for language in LANGUAGES:
            drawn = draw(chart, datasets, language)
            store.execute(statement(drawn)).fetchall()
            assert drawn.title


@pytest.mark.parametrize("name", DASHBOARDS)
def test_what_a_dashboard_shows_has_words_in_both_languages(datasets: Datasets, name: str) -> None:
    for chart in (chart for row in SPECS[name].rows for chart in row):
        drawn = draw(chart, datasets, "zh")
        named = {*chart.by, *chart.sums, *(column.replace("*", "zh") for column in chart.columns)}
        assert named <= words("columns").keys()
        figures = [drawn.dataset.by_name[metric].words for metric in chart.metrics]
        assert all(figure.en and figure.zh != figure.en for figure in figures)


def shown_texts(drawn: Drawn) -> set[str]:
    """The columns of text that a chart shows, or divides by."""
    parameters = drawn.parameters
    names = {parameters.get("x_axis"), *parameters.get("groupby", []), *parameters.get("all_columns", [])} - {None}
    return {name for name in names if drawn.dataset.by_name[name].type == "VARCHAR"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_chart_shows_a_code_without_its_words(
    datasets: Datasets, store: duckdb.DuckDBPyConnection, name: str
) -> None:
    for chart in (chart for row in SPECS[name].rows for chart in row):
        for language in LANGUAGES:
            drawn = draw(chart, datasets, language)
            shown = shown_texts(drawn)
            assert not {text for text in shown - AS_THEY_ARE if not text.endswith(SENTENCES)}, drawn.title
            coded = {text.removesuffix(ENDING) for text in shown if text.endswith(ENDING)} - BRANCHES - {"product_code"}
            for column in coded:
                known: dict[str | None, str] = {**codes(language)[column], None: "–"}
                where = f"where {chart.where}" if chart.where else ""
                rows = store.execute(
                    f"select distinct {column}, {column}{ENDING} from ({drawn.dataset.statement}) {where}"
                ).fetchall()
                # why a figure was adjusted is a sentence of a person, why a row was refused a code
                assert chart.table == "ops.adjustments" or all(said == known[code] for code, said in rows), column


def test_codes_have_words_of_their_own_in_both_languages() -> None:
    for column, said in codes("zh").items():
        english = codes("en")[column]
        assert said.keys() == english.keys()
        assert not [code for code, text in said.items() if not CHINESE.search(text)], column
        assert not [code for code, text in english.items() if CHINESE.search(text) or "_" in text], column
        if column != "feature":  # of which a table shows each, and nothing is added up by them
            assert len(set(said.values())) == len(set(english.values())) == len(said), column


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_axis_of_figures_says_their_unit(datasets: Datasets, name: str) -> None:
    for chart in (chart for row in SPECS[name].rows for chart in row if chart.kind in {"line", "bar"}):
        units = {language: draw(chart, datasets, language).parameters["y_axis_title"] for language in LANGUAGES}
        assert units["en"] and (units["en"] == "%" or CHINESE.search(units["zh"])), chart


def test_branches_and_products_are_named(datasets: Datasets, store: duckdb.DuckDBPyConnection) -> None:
    for language in LANGUAGES:
        positions = draw(Chart(kind="bar", metrics=("aum",), by=("home_branch_code",)), datasets, language).dataset
        rows = store.execute(f"select home_branch_code, home_branch_code_words from ({positions.statement})").fetchall()
        assert all(said == "–" if code is None else said.startswith(f"{code} ") for code, said in rows)
        applied = draw(Chart(kind="bar", metrics=("applications",), by=("product_code",)), datasets, language).dataset
        rows = store.execute(f"select product_code, product_code_words from ({applied.statement})").fetchall()
        assert any(code for code, _ in rows)
        assert all(said == "–" if code is None else said.startswith(f"{code} ") for code, said in rows)


def test_a_forecast_goes_on_from_the_past_within_its_interval(
    datasets: Datasets, store: duckdb.DuckDBPyConnection
) -> None:
    (chart,) = (chart for row in SPECS["board"].rows for chart in row if chart.sums)
    drawn = draw(chart, datasets, "en")
    assert drawn.visual == "echarts_timeseries_line" and drawn.parameters["truncateYAxis"]
    rows = sorted(store.execute(statement(drawn)).fetchall())
    history = store.execute(
        "select week_end_date, sum(amount) from marts.balance_series_weekly where measure = 'deposit' group by all"
    ).fetchall()
    assert [(day, actual) for day, actual, *_ in rows if actual is not None] == sorted(history)
    forecast = store.execute(
        "select week_end_date, mean_amount, lower_80_amount, upper_80_amount from scores.forecast_balances "
        "where measure = 'deposit' and series_level = 'bank' order by 1"
    ).fetchall()
    ahead = [(day, *expected) for day, actual, *expected in rows if actual is None]
    assert ahead == forecast and len(forecast) == 13
    (start,) = (row for row in rows if row[1] is not None and row[2] is not None)
    assert start[0] == max(history)[0] and start[1] == start[2]


def test_a_question_that_needs_no_customer_joins_none(datasets: Datasets, store: duckdb.DuckDBPyConnection) -> None:
    dataset = datasets.of_metrics(["applications"])

    def joins(by: str) -> list[str]:
        question = f"explain select {by}, {dataset.by_name['applications'].expression} from ({dataset.statement})"
        return re.findall(r"Join Type: (?:LEFT|RIGHT)", store.execute(f"{question} group by 1").fetchall()[0][1])

    assert joins("star_tier")
    assert not joins("started_date")


def test_no_chart_reads_a_view_that_adds_up_a_history(bank: Settings, datasets: Datasets) -> None:
    """It would be added up again for every question: such sums are tables."""
    charts = [chart for spec in SPECS.values() for row in spec.rows for chart in row]
    read = {name for chart in charts for name in SOURCE.findall(draw(chart, datasets, "en").dataset.statement)}
    grouped = {
        node["alias"]
        for node in dbt.read_manifest(bank)["nodes"].values()
        if node["config"].get("materialized") == "view" and re.search(r"\bgroup by\b", node["raw_code"])
    }
    assert "fund_flow_daily" in grouped
    assert {"fund_flow_groups_daily", "customer_positions", "leaking_customers"} <= read
    assert not read & grouped


def test_columns_have_the_descriptions_of_the_store(datasets: Datasets) -> None:
    for dataset in (datasets.of_table("marts.leaking_customers"), datasets.of_metrics(["watch_list"])):
        described = {column.name: column.description for column in dataset.columns}
        own = {figure for figure in described if figure.endswith("_count")}  # measures that are no column
        assert all(described[name] for name in described.keys() - own)
    leak = datasets.of_table("marts.leaking_customers").by_name["leak_30d_amount"]
    assert leak.description.endswith("[CNY]")


def test_a_definition_changed_in_one_place_changes_the_assets(
    bank: Settings, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = dbt.semantic_manifest(bank, {})
    changed = text.replace("case when has_account then 1 else 0 end", "case when has_account then 2 else 0 end")
    changed = changed.replace("Customers with an account", "Customers, twice")
    monkeypatch.setattr(dbt, "semantic_manifest", lambda *_: changed)
    before, after = assets.texts(), make_assets(bank).texts()
    other = {path for path in before if before[path] != after[path]}
    assert "datasets/c360/customer_positions_en.yaml" in other
    assert "then 2 else 0 end as customer_count" in " ".join(after["datasets/c360/customer_positions_en.yaml"].split())
    charts = {path for path in other if path.startswith("charts/")}
    assert charts and all("Customers, twice" in after[path] for path in charts if path.endswith("_en.yaml"))
    assert before.keys() == after.keys()


@pytest.mark.parametrize(
    ("chart", "said"),
    [
        (Chart(kind="number", metrics=("happiness",)), "there is no metric happiness"),
        (Chart(kind="number", metrics=("aum", "leak")), "are figures of"),
        (Chart(kind="bar", metrics=("aum",), by=("mood",)), "has no column mood"),
        (Chart(kind="line", metrics=("aum",), over="quarter"), "is a figure of a date"),
        (Chart(kind="table", table="marts.nothing", columns=("a",), title=TITLE), "there is no table marts.nothing"),
    ],
)
def test_a_chart_that_cannot_be_is_refused(datasets: Datasets, chart: Chart, said: str) -> None:
    with pytest.raises(Stop, match=said):
        draw(chart, datasets, "en")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "number"}, "a chart shows metrics, or"),
        ({"kind": "line", "metrics": ["aum"]}, "a line goes over"),
        ({"kind": "table", "table": "ops.freshness", "counted": True}, "needs a title"),
        (
            {"kind": "bar", "table": "ops.freshness", "counted": True, "by": ["feed"], "title": TITLE},
            "counted rows need a unit",
        ),
        ({"kind": "pie", "metrics": ["aum"]}, "kind"),
    ],
)
def test_a_chart_of_nothing_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Chart.model_validate(wrong)


def test_a_file_that_is_no_dashboard_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "1_wrong.yml"
    path.write_text("title: {en: A, zh: 甲}\nabout: {en: A, zh: 甲}\nrows: [[{kind: number, metric: [aum]}]]\n")
    with pytest.raises(Stop, match=r"1_wrong.yml: rows.0.0.metric"):
        read_dashboards(tmp_path)


def test_a_dashboard_that_is_gone_is_not_among_the_assets(bank: Settings) -> None:
    few = make_assets(bank, {"board": SPECS["board"]})
    assert few.slugs() == ["board-en", "board-zh"]
