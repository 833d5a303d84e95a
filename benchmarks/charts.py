"""``make bench-charts``: every chart of every dashboard, asked of Superset over the bank of 100,000 customers.

On a copy of the store that the settings name, in which the tables that charts read stand as often over as it takes for
so many customers: keys and managers of their own, `BRANCHES` times the branches, flows of other days.
"""

import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Annotated, TypedDict, cast

import duckdb
import psutil
import typer

from benchmarks.readers import Publisher, copied
from c360.bi.assets import Assets, make_assets
from c360.bi.importing import Server
from c360.bi.serving import Place, serving
from lakehouse import warehouse
from lakehouse.settings import Settings
from lakehouse.sql import only_row
from lakehouse.warehouse import dbt

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
GOAL_SECONDS = 1.0
BRANCHES = 5  # times those of the store
CUSTOMER, BRANCH = (
    re.compile(r"^((customer|party|payer|payee)_key|account_no_token|rm_id)$"),
    re.compile("branch_code$"),
)
SOURCE = re.compile(r"from (\w+\.\w+)")
FLOWS = "build_marts.fund_flow_groups_daily"
SHIFT = 17  # days between the flows of two copies
Question = dict[str, object]


class Parameters(TypedDict, total=False):
    """What a question is made of, of a chart's parameters (c360/bi/charts.py)."""

    viz_type: str
    row_limit: int
    adhoc_filters: Sequence[Mapping[str, object]]
    metric: object
    metrics: Sequence[object]
    x_axis: str
    time_grain_sqla: str
    groupby: Sequence[str]
    all_columns: Sequence[str]
    order_by_cols: Sequence[str]


@dataclass(frozen=True)
class Timed:
    """A chart, and what the better of its answers took."""

    title: str
    clock: float  # seconds
    processor: float  # seconds of Superset's processes
    rows: int


@app.command()
def main(
    superset: Annotated[Path, typer.Option(help="Environment of Superset.")],
    customers: Annotated[int, typer.Option(min=1, help="At least so many, with an account or not.")] = 100_000,
    turns: Annotated[int, typer.Option(min=1, help="How often each chart is asked; the best counts.")] = 3,
) -> None:
    """Ask every chart of the store that C360_WAREHOUSE names, enlarged, and print the slowest ten."""
    origin = Settings.from_env()
    with TemporaryDirectory(prefix="c360-") as folder, copied(origin, "duckdb", Path(folder)) as settings:
        assets = make_assets(settings)
        there = enlarge(settings, tables_of(settings, assets), customers)
        shutil.rmtree(settings.published)
        settings.warehouse.unlink()
        Publisher.of(origin, settings, warehouse.last_published(origin), {}).publish()
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            place = Place(superset.resolve(), Path(folder) / "bi", one.getsockname()[1])
        with serving(settings, place, print), Server(place.address, place.password_file.read_text()) as session:
            timed = sorted(ask(session, assets, turns), key=lambda one: -one.processor)
    under = [sum(seconds < GOAL_SECONDS for seconds in column) for column in zip(*map(_seconds, timed), strict=True)]
    print(f"{there:,} customers; of {len(timed)} charts {under[0]} take less than a second by the clock, {under[1]}")
    print("of Superset's processors; the slowest, seconds by the clock, of processors, rows of the answer:")
    for one in timed[:10]:
        print(f"  {one.clock:.2f}  {one.processor:.2f}  {one.rows:5}  {one.title}")
    if under[1] < len(timed):  # the clock of a busy machine says nothing
        raise typer.Exit(1)


def _seconds(timed: Timed) -> tuple[float, float]:
    return timed.clock, timed.processor


def tables_of(settings: Settings, assets: Assets) -> set[str]:
    """The built tables that charts read, those below views too."""
    nodes = dbt.read_manifest(settings)["nodes"]
    keys = {f"{node['schema'].removeprefix('build_')}.{node['alias']}": key for key, node in nodes.items()}
    datasets = [str(asset["sql"]) for path, asset in assets.files.items() if path.parts[0] == "datasets"]
    left = {keys[name] for sql in datasets for name in SOURCE.findall(sql) if name in keys}
    found = set()
    while left:
        node = nodes[left.pop()]
        if node["config"]["materialized"] == "view":
            left |= set(node["depends_on"]["nodes"]) & nodes.keys()
        else:
            found.add(f"{node['schema']}.{node['alias']}")
    return found


def enlarge(settings: Settings, tables: Iterable[str], customers: int) -> int:
    """Put tables of customers, and of branches, so often over that there are so many; returns how many there are."""
    with duckdb.connect(str(settings.build)) as build:
        (present,) = only_row(build.execute("select count(*) from build_marts.customer_360"))
        copies = -(-customers // present)
        for table in sorted(tables):
            build.execute(f"create or replace table {table} as {copies_of(build, table, copies)}")
        return present * copies


def copies_of(build: duckdb.DuckDBPyConnection, table: str, copies: int) -> str:
    """The question for a table's rows so many times over: the first as they are, the others under names of their own.

    A table without customers has copies for branches alone; one without either is left as it is. Money by groups of
    customers is added up by these: copies of one branch have the same groups, and other days.
    """
    columns = [name for name, *_ in build.execute(f"describe {table}").fetchall()]
    new = {name: f"if(copy = 0, {name}, {name} || '~' || copy)" for name in columns if CUSTOMER.match(name)}
    is_of_customers = table == FLOWS or bool(new.keys() - {"rm_id"})
    branches = {name: f"{name} || '~' || (copy % {BRANCHES})" for name in columns if BRANCH.search(name)}
    if not new and not branches:
        return f"from {table}"
    new |= branches
    if table == FLOWS:
        first, days = only_row(
            build.execute(f"select min(business_date), max(business_date) - min(business_date) + 1 from {table}")
        )
        new["business_date"] = (
            f"date '{first}' + cast((business_date - date '{first}' + {SHIFT} * copy) % {days} as int)"
        )
    replaced = ", ".join(f"{expression} as {name}" for name, expression in new.items())
    number = copies if is_of_customers else min(copies, BRANCHES)
    rows = f"select * exclude (copy) replace ({replaced}) from {table}, range({number}) as copies(copy)"
    if table != FLOWS:
        return rows
    amounts = [name for name in columns if name.endswith("_amount")]
    sums = ", ".join(f"cast(sum({name}) as decimal(38, 2)) as {name}" for name in amounts)
    return f"select * exclude ({', '.join(amounts)}), {sums} from ({rows}) group by all order by business_date"


def ask(session: Server, assets: Assets, turns: int) -> list[Timed]:
    """Every chart in English; the questions of the other language differ in titles alone."""
    charts, datasets = session.numbers("chart"), session.numbers("dataset")
    timed = []
    for path, asset in assets.files.items():
        if path.parts[0] != "charts" or not path.stem.endswith("_en"):
            continue
        parameters = cast("Parameters", asset["params"])
        question = question_of(datasets[str(asset["dataset_uuid"])], charts[str(asset["uuid"])], parameters)
        answers = [_timed(session, path, str(asset["slice_name"]), question) for _ in range(turns)]
        timed.append(min(answers, key=lambda one: one.processor))
    return timed


def _timed(session: Server, path: PurePosixPath, title: str, question: Question) -> Timed:
    began, worked = time.perf_counter(), _worked()
    (answer,) = session.ask("POST", "chart/data", json=question)["result"]
    return Timed(f"{path.stem}: {title}", time.perf_counter() - began, _worked() - worked, answer["rowcount"])


def _worked() -> float:
    """Seconds of processor time of this process's children, which Superset is."""
    times = [child.cpu_times() for child in psutil.Process(os.getpid()).children(recursive=True)]
    return sum(time.user + time.system for time in times)


def question_of(dataset: int, chart: int, parameters: Parameters) -> Question:
    """What Superset's page asks for a chart, as it makes it of the chart's parameters."""
    filters, conditions = [], []
    for one in parameters["adhoc_filters"]:
        if one["expressionType"] == "SQL":
            conditions.append(f"({one['sqlExpression']})")
        else:
            filters.append({"col": one["subject"], "op": one["operator"], "val": one["comparator"]})
    grain = parameters.get("time_grain_sqla")
    axis: object = parameters.get("x_axis")
    if axis and grain:
        kinds = {"expressionType": "SQL", "columnType": "BASE_AXIS", "timeGrain": grain}
        axis = {"label": axis, "sqlExpression": axis, **kinds}
    columns = [*([axis] if axis else []), *parameters.get("groupby", ())]
    query: Question = {
        "columns": columns or parameters.get("all_columns", []),
        "metrics": [parameters["metric"]] if "metric" in parameters else parameters.get("metrics"),
        "filters": filters,
        "extras": {"where": " and ".join(conditions)} | ({"time_grain_sqla": grain} if grain else {}),
        "row_limit": parameters["row_limit"],
        "orderby": [json.loads(order) for order in parameters.get("order_by_cols", ())],
    }
    form = {"slice_id": chart, "viz_type": parameters["viz_type"]}
    source = {"id": dataset, "type": "table"}
    shape = {"force": True, "result_format": "json", "result_type": "full"}
    return {"datasource": source, "queries": [query], "form_data": form, **shape}


if __name__ == "__main__":
    app()
