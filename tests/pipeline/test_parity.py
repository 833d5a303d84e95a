"""The same deliveries give the same tables on Postgres, built at once or with days on top, as on DuckDB day by day."""

import shutil
from datetime import UTC, date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pytest
from psycopg.conninfo import conninfo_to_dict

from c360 import pipeline
from c360.access import add_person, load_rights
from c360.api.snapshot import Snapshot
from c360.app.groups import keys_of, rows_of
from c360.app.pages.brief import read_brief
from c360.app.pages.customers import read_customer
from c360.app.pages.status import read_status
from c360.app.pages.tags import values_of
from c360.app.preparing import statements
from c360.metrics import list_metrics, query_metrics
from c360.reports import customer
from lakehouse import intraday, tags, warehouse
from lakehouse.settings import Settings
from lakehouse.tags.columns import offered
from lakehouse.warehouse.stores import Shown
from tests.conftest import create_database
from tests.pipeline.bank import EMPTY, READER_SCHEMAS, RUN_COLUMNS, TAGS, deployment_at, send_events
from tests.pipeline.conftest import D3, LAST_OF_HISTORY, Undisturbed

OF_A_FILE = ("ops.store", "ops.retired_files")  # what the store in one file has besides
pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]  # the first test makes the bank on both engines
# A view of a row for every account and day, dear to read as a whole: the last days of the bank have what it can hold.
PART = {"marts.balances_daily_dense": f"where business_date > '{LAST_OF_HISTORY - timedelta(days=31)}'"}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((D3,), id="at once"),
        pytest.param((LAST_OF_HISTORY, D3), id="days on top"),
    ],
)
def postgres(
    request: pytest.FixtureRequest, history: Settings, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """The bank on Postgres, from the lake of the history and by its models, and the three days."""
    with create_database(postgres_server) as dsn:
        folder = tmp_path_factory.mktemp("postgres")
        shutil.copytree(history.lake, folder / "lake")
        settings = deployment_at(folder, history.landing, target="postgres", postgres_dsn=dsn)
        for day in request.param:
            pipeline.run(settings, day, day)
        yield settings


def test_both_engines_publish_the_same(postgres: Settings, day_by_day: Undisturbed) -> None:
    assert_equal(day_by_day.settings, postgres)


def test_figures_by_name_and_comments_are_equal(postgres: Settings, day_by_day: Undisturbed) -> None:
    def asked(settings: Settings, name: str) -> dict[date, float]:
        rows = query_metrics(settings, [name], ["month"]).rows
        return {month: float(figure) for month, figure in rows if figure is not None}

    names = [metric.name for metric in list_metrics(postgres)]
    assert len(names) > 30
    for name in names:
        assert asked(postgres, name) == pytest.approx(asked(day_by_day.settings, name)), name
    seen = []
    for settings in (postgres, day_by_day.settings):
        with warehouse.store_of(settings).shown(settings) as shown:
            seen.append({(name, column): text for name, column, text in shown.comments if name not in OF_A_FILE})
    assert seen[0] == seen[1]
    assert [place for place, text in seen[0].items() if not text] == []
    assert [place for place, text in seen[0].items() if "amount" in str(place[1]) and "[CNY]" not in text] == []


def test_the_pages_of_the_workbench_read_the_same(postgres: Settings, day_by_day: Undisturbed) -> None:
    (found,) = warehouse.query_serving(
        day_by_day.settings,
        "select min(home_branch_code) as branch_code, min(account_no_token) as token from marts.customer_360 "
        "inner join marts.dim_account using (customer_key) where home_branch_code is not null",
    ).to_pylist()
    by_token = "select customer_key from marts.customer_handles where handle_kind = 'account' and handle_token = $1"
    read = []
    for settings in (postgres, day_by_day.settings):
        publish = Snapshot.of_store(settings, statements)
        brief = read_brief(publish.prepared, "home_branch_code", found["branch_code"])
        parts = {name: {tuple(row.items()) for row in rows} for name, rows in brief.items()}
        feeds = {tuple(row.items()) for row in read_status(publish.prepared)["feeds"]}
        with warehouse.shown(settings) as shown:
            of_token = shown.query(by_token, (found["token"],)).to_pylist()
            asked = customer.read_by(shown.query, of_token[0]["customer_key"])
        assert read_customer(publish, asked.customer["customer_key"], UTC) == asked
        read.append((parts, feeds, of_token))
    assert read[0] == read[1]
    assert all(read[0])


def test_who_has_a_tag_is_the_same_and_so_is_its_preview(postgres: Settings, day_by_day: Undisturbed) -> None:
    said = []
    for settings in (postgres, day_by_day.settings):
        sizes = {
            row["tag"]: (row["member_count"], row["contactable_count"])
            for row in warehouse.query_serving(settings, "select * from marts.tags where is_current").to_pylist()
        }
        tagged = warehouse.query_serving(settings, "select tag, customer_key, block_reason from marts.customer_tags")
        for tag, (texts, matching, _) in TAGS.items():
            found = tags.count(settings, [tags.condition_of(text) for text in texts], matching)
            assert (found.members, found.contactable) == sizes[tag], tag
        with warehouse.shown(settings) as shown:
            keys = keys_of(shown.query, "tag", "either")
            listed = rows_of(shown.query, keys[:25])
            segment = keys_of(shown.query, "segment", "1")
            values = values_of(shown.query, offered()["customer_360", "life_cycle_stage"])
        said.append((sizes, {tuple(row.values()) for row in tagged.to_pylist()}, keys, listed, segment, values))
    assert said[0] == said[1]
    sizes, tagged, keys, *_ = said[0]
    assert sizes["over"] == sizes["taken_back"] == (None, None)
    assert {tag for tag, *_ in tagged} == TAGS.keys() - {"nobody"}
    assert len(keys) == sizes["either"][0] > 20


def test_a_full_load_is_equal_with_models_of_its_own(
    landing: Path, day_by_day: Undisturbed, postgres_server: str, tmp_path: Path
) -> None:
    with create_database(postgres_server) as dsn:
        settings = deployment_at(tmp_path, landing, target="postgres", postgres_dsn=dsn)
        pipeline.run(settings, D3, D3)
        assert_equal(day_by_day.settings, settings)


def test_the_day_so_far_is_shown_once_and_follows_the_owners(postgres: Settings, tmp_path: Path) -> None:
    settings = postgres.model_copy(update={"landing": tmp_path})
    (account,) = warehouse.query(
        settings,
        "select raw.account_no, customer_key from build_marts.dim_account as accounts "
        "join raw.accounts as raw using (account_no_token) where accounts.status = 'open' limit 1",
    ).to_pylist()
    day = D3 + timedelta(days=1)
    event = {"account_no": account["account_no"], "business_date": str(day), "direction": "D", "channel": "atm"}
    event |= {"txn_type": "cash", "txn_at": f"{day} 01:00:00", "event_at": f"{day} 01:00:00"}
    for name in ("first", "again", "more"):  # each by a loop that starts anew
        send_events(settings.landing, name, event | {"txn_id": name.replace("again", "first"), "amount": 100.01})
        intraday.run(settings, every=0, seconds=0)
    (shown,) = warehouse.query_serving(
        settings,
        "select customer_key, counterparty_class, txn_count, amount from marts.fund_flow where business_date = $1",
        [day],
    ).to_pylist()
    assert shown == {
        "customer_key": account["customer_key"],
        "counterparty_class": "cash",
        "txn_count": 2,
        "amount": Decimal("200.02"),
    }
    assert intraday.read_status(settings)["repeated_events"] == 1


def test_every_built_table_has_statistics(postgres: Settings) -> None:
    """Without them Postgres guesses how many rows there are, and joins the next model row by row: for minutes."""
    with psycopg.connect(postgres.postgres_dsn.get_secret_value()) as connection:
        built = connection.execute(
            "select nspname || '.' || relname, reltuples from pg_class join pg_namespace on relnamespace = "
            "pg_namespace.oid where relkind = 'r' and nspname like 'build\\_%' and nspname <> 'build_seeds'"
        ).fetchall()
    assert len(built) > 150
    assert [name for name, count in built if count < 0] == []


def test_readers_have_no_way_to_personal_data(postgres: Settings, postgres_server: str) -> None:
    database = conninfo_to_dict(postgres.postgres_dsn.get_secret_value())["dbname"]
    with psycopg.connect(postgres_server, dbname=database) as connection:
        connection.execute("set role c360_reader")
        assert connection.execute("select count(*) from marts.customer_360").fetchone()[0] > 0
        for schema in ("pii", "raw", "quarantine", "staging", "build_marts"):
            (table,) = connection.execute(
                "select relname from pg_class join pg_namespace on relnamespace = pg_namespace.oid "
                "where nspname = %s and relkind in ('r', 'v') order by relname limit 1",
                [schema],
            ).fetchone()
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(f'select * from "{schema}"."{table}"')


def test_a_branch_reads_its_customers_of_every_table_and_no_others(postgres: Settings, postgres_server: str) -> None:
    database = conninfo_to_dict(postgres.postgres_dsn.get_secret_value())["dbname"]
    with psycopg.connect(postgres_server, dbname=database, autocommit=True) as connection:
        for right in load_rights(postgres).roles:
            if not connection.execute("select 1 from pg_roles where rolname = %s", [right.role]).fetchone():
                connection.execute(f'create role "{right.role}"')
        (branch,) = connection.execute(
            "select mode() within group (order by branch_code) from actions.worklist"
        ).fetchone()
        add_person(postgres.api_tokens, "S-parity", "branch_reader", date(9999, 1, 1), branch)
        connection.execute('create role "S-parity" login in role c360_branch_reader')
        assert warehouse.apply_rights(postgres, load_rights(postgres)) == []
        own = f"home_branch_code = '{branch}'"
        mine = f"(select customer_key from marts.customer_360 where {own} or customer_key in "
        mine += f"(select customer_key from actions.worklist where branch_code = '{branch}'))"
        readable = "has_table_privilege('c360_branch_reader', attrelid, 'select')"
        tables = connection.execute(
            f"select cast(attrelid as regclass)::text, {readable} from pg_attribute "
            "inner join pg_class on pg_class.oid = attrelid "
            "where attname = 'customer_key' and relkind in ('r', 'v') "
            "and relnamespace::regnamespace::text in ('marts', 'scores', 'actions')"
        ).fetchall()
        seen = [name for name, is_read in tables if is_read]
        assert {"marts.customer_360", "marts.customer_changes", "scores.customer_scores", "actions.worklist"} < set(
            seen
        )
        for name in seen:
            where = f"branch_code = '{branch}'" if name.startswith("actions.") else f"customer_key in {mine}"
            (expected,) = connection.execute(f"select count(*) from {name} where {where}").fetchone()
            connection.execute('set session authorization "S-parity"')
            (found,) = connection.execute(f"select count(*) from {name}").fetchone()
            connection.execute("reset session authorization")
            assert found == expected, name
        connection.execute('drop role "S-parity"')


def assert_equal(one: Settings, other: Settings) -> None:
    tables = published(one)
    assert published(other) == tables
    with warehouse.shown(one) as here, warehouse.shown(other) as there:  # to open a store takes longer than most tables
        for table in tables:
            left = rows(here, table)
            right = rows(there, table).cast(left.schema)
            assert left.num_rows == right.num_rows and (left.num_rows > 0 or table in EMPTY), table
            for name in left.column_names:
                assert same(left[name], right[name]), (table, name)


def published(settings: Settings) -> list[str]:
    found = warehouse.query_serving(settings, "select schema_name, table_name from ops.publications").to_pylist()
    return sorted(f"{row['schema_name']}.{row['table_name']}" for row in found if row["schema_name"] in READER_SCHEMAS)


def rows(shown: Shown, table: str) -> pa.Table:
    """All rows in one order: by what is exact, since floating-point figures may differ in the last digit."""
    found = shown.query(f"select * from {table} {PART.get(table, '')}", ())
    kept = found.select(sorted(set(found.column_names) - set(RUN_COLUMNS)))
    exact = [field.name for field in kept.schema if not pa.types.is_floating(field.type)]
    return kept.sort_by([(name, "ascending") for name in exact])


def same(here: pa.ChunkedArray, there: pa.ChunkedArray) -> bool:
    """Exact, but for floating-point figures: 1e-9."""
    if pa.types.is_floating(here.type):
        return bool(np.allclose(here.to_numpy(), there.to_numpy(), rtol=1e-9, atol=1e-9, equal_nan=True))
    return here.equals(there)
