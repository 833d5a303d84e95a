"""A store in one file that is moved or copied never shows another's rows; a reader that opens it sees today's."""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.pool import NullPool

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.warehouse.live import FLOW
from tests.conftest import temporary_settings
from tests.lakehouse.warehouse.built import Built

DAY = date(2026, 3, 1)
RUN = "select run from marts.facts"
FACTS = "select cast({} as integer) as run, date '2026-03-01' as business_date"


@dataclass(frozen=True)
class Bank:
    """A built bank whose only figure is the number of the run that published it."""

    built: Built

    @property
    def settings(self) -> Settings:
        return self.built.settings

    def publish(self, run: int) -> None:
        self.built.model("marts.facts", FACTS.format(run), partition_by="business_date")
        warehouse.publish(self.settings, DAY, f"run {run}")


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    (tmp_path / "first").mkdir()
    bank = Bank(Built(temporary_settings(tmp_path / "first")))
    nothing = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in FLOW)
    bank.built.model("marts.fund_flow_daily", f"select {nothing}")
    bank.publish(1)
    return bank


def copied(bank: Bank, *names: str) -> Settings:
    """Settings of a folder with a copy of these."""
    folder = bank.settings.warehouse.parent.with_name("second")
    folder.mkdir()
    for name in names:
        source = bank.settings.warehouse.parent / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, folder / name)
    return temporary_settings(folder)


@pytest.mark.parametrize("query", [RUN, "select count(*) from marts.fund_flow", "from marts.fund_flow_intraday"])
def test_a_copy_stops_where_it_would_read_the_original(bank: Bank, query: str) -> None:
    copy = copied(bank, "warehouse.duckdb", "published")
    bank.publish(2)
    said = r"moved or copied from .*first/warehouse\.duckdb: .* `c360 relocate`"
    with duckdb.connect(copy.warehouse, read_only=True) as reader, pytest.raises(duckdb.Error, match=said):
        reader.sql(query).fetchall()
    with pytest.raises(Stop, match="moved or copied"):
        warehouse.query_serving(copy, query)
    with duckdb.connect() as both:  # nor do the two side by side
        for name, path in (("original", bank.settings.warehouse), ("copy", copy.warehouse)):
            both.execute(f"attach '{path}' as {name} (read_only)")
        both.execute("use copy")
        with pytest.raises(duckdb.Error, match="moved or copied"):
            both.sql(query).fetchall()


@pytest.mark.parametrize("is_moved", [True, False])
def test_a_store_that_got_its_new_place_shows_its_own_rows(bank: Bank, is_moved: bool) -> None:
    copy = copied(bank, "warehouse.duckdb", "published")
    if is_moved:
        shutil.rmtree(bank.settings.warehouse.parent)
    else:
        bank.publish(2)
    assert warehouse.relocate(copy) == 2
    for path in (copy.warehouse, copy.warehouse.parent / ".." / "second" / "warehouse.duckdb"):
        with duckdb.connect(path, read_only=True) as reader:
            assert reader.sql(RUN).fetchall() == [(1,)]
            assert reader.sql("select count(*) from marts.fund_flow").fetchall() == [(1,)]


def test_a_file_without_its_folder_is_refused_by_name_and_stays(bank: Bank) -> None:
    copy = copied(bank, "warehouse.duckdb")
    before = copy.warehouse.read_bytes()
    with pytest.raises(Stop, match=r"2 of 2 files .* not in .*second/published .*marts/facts/2026-03-.*: move or copy"):
        warehouse.relocate(copy)
    assert copy.warehouse.read_bytes() == before


def test_the_next_run_of_a_moved_bank_needs_no_command(bank: Bank, tmp_path: Path) -> None:
    bank.settings.warehouse.parent.rename(tmp_path / "second")
    moved = Bank(Built(temporary_settings(tmp_path / "second")))
    moved.built.nodes.update(bank.built.nodes)
    moved.publish(2)
    with duckdb.connect(moved.settings.warehouse, read_only=True) as reader:
        assert reader.sql(RUN).fetchall() == [(2,)]


def test_within_a_process_only_a_database_of_its_own_sees_the_new_day(bank: Bank) -> None:
    path = bank.settings.warehouse
    with duckdb.connect(path, read_only=True) as notebook:
        bank.publish(2)
        with duckdb.connect(path, read_only=True) as same_process:
            assert same_process.sql(RUN).fetchall() == [(1,)]  # what is open already, and why there is `open_store`
        with warehouse.open_store(path) as fresh:
            assert fresh.sql(RUN).fetchall() == [(2,)]
            bank.publish(3)
            assert fresh.sql(RUN).fetchall() == [(2,)]  # an open reader keeps its day
        with warehouse.open_store(path) as fresh:
            assert fresh.sql(RUN).fetchall() == [(3,)]
        assert warehouse.query_serving(bank.settings, RUN).to_pylist() == [{"run": 3}]
        assert notebook.sql(RUN).fetchall() == [(1,)]


def test_a_server_over_sqlalchemy_sees_the_new_day_without_a_pool(bank: Bank) -> None:
    """As docs/ANALYST.md tells BI servers and programs with a pool."""
    engine = create_engine("duckdb:///:memory:", poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def attach(connection: duckdb.DuckDBPyConnection, _: object) -> None:
        connection.execute(f"attach '{bank.settings.warehouse}' as store (read_only)")
        connection.execute("use store")

    with engine.connect() as earlier:
        assert earlier.execute(text(RUN)).scalar() == 1
        bank.publish(2)
        with engine.connect() as later:
            assert later.execute(text(RUN)).scalar() == 2
        assert earlier.execute(text(RUN)).scalar() == 1


def test_a_store_of_an_earlier_version_is_taken_over_even_by_a_failed_run(bank: Bank) -> None:
    """Its views named their files themselves, and nothing in it said where it stands."""
    settings = bank.settings
    bank.built.model("marts.seen", "select run from build_marts.facts", "view", reads=("marts.facts",))
    bank.built.model("ops.runs", "select 0 as failures")
    bank.publish(2)
    file = max((settings.published / "marts" / "facts").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    flow = next((settings.published / "marts" / "fund_flow_daily").iterdir())
    with duckdb.connect(settings.warehouse) as store:
        for view in ("seen", "fund_flow", "facts", "fund_flow_daily"):
            store.execute(f"drop view marts.{view}")
        for name, path in (("facts", file), ("fund_flow_daily", flow)):
            store.execute(f"create view marts.{name} as select * from read_parquet(['{path}'])")
        store.execute("create view marts.seen as select run from marts.facts")
        store.execute("drop table ops.store; update ops.retired_files set file = '/elsewhere/' || file")
    bank.built.execute("update build_ops.runs set failures = 1")
    warehouse.publish(settings, DAY, "failure", schemas=("ops",))
    for query, expected in ((RUN, 2), ("select run from marts.seen", 2), ("select failures from ops.runs", 1)):
        assert [tuple(row.values()) for row in warehouse.query_serving(settings, query).to_pylist()] == [(expected,)]
    assert warehouse.relocate(settings) == 3
