"""The store on Postgres: a backup brings it back in another database, equal by hash; an erasure leaves no row of it."""

import shutil
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from c360 import erasure, pipeline
from c360.recovery import recover
from lakehouse.backup.taking import back_up
from lakehouse.backup.vault import Vault
from lakehouse.lake.erasures import is_genuine
from lakehouse.settings import Settings
from tests.lakehouse.erasure.bank import SENTINELS
from tests.pipeline.faults.conftest import Install
from tests.pipeline.faults.installation import D1, content_of
from tests.pipeline.faults.server import Server
from tests.pipeline.test_erasure import KEY, money, others, plant

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]


def found_in(settings: Settings) -> set[str]:
    """Tables with a row in which a sentinel stands, whatever schema and column."""
    with psycopg.connect(settings.postgres_dsn.get_secret_value()) as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert len(tables) > 200
        patterns = [f"%{sentinel}%" for sentinel in SENTINELS]
        return {
            f"{schema}.{table}"
            for schema, table in tables
            if connection.execute(
                sql.SQL("select 1 from {} as rows where cast(rows as text) like any(%s) limit 1").format(
                    sql.Identifier(schema, table)
                ),
                [patterns],
            ).fetchone()
        }


def test_it_comes_back_in_another_database_and_keeps_nobody_who_was_erased(
    on_postgres: Install, server: Server, tmp_path: Path
) -> None:
    made = on_postgres().settings
    settings = made.model_copy(update={"landing": tmp_path / "landing"})
    shutil.copytree(made.landing, settings.landing)
    plant(settings.landing, D1)
    pipeline.run(settings, D1, D1)
    content, seen = content_of(settings), money(settings)
    back_up(settings, tmp_path / "vault", with_landing=True)
    assert not Vault(tmp_path / "vault").backups()[0].has_store  # it is built from the lake
    other = settings.model_copy(update={"postgres_dsn": SecretStr(server.create("elsewhere"))})
    back = recover(other, tmp_path / "vault", tmp_path / "back", None, lambda _: None)
    assert (back.business_date, content_of(other)) == (D1, content)
    assert [one.step for one in back.stages] == ["copy", "erasures", "verify", "build", "score", "network", "serve"]
    assert content_of(settings) == content  # the living one is as it was

    people = others(settings)
    assert found_in(settings) & {"raw.customers", "raw.transactions"}
    record = erasure.erase(settings, f"cif:{KEY}", "S0042", "asked for it", lambda _: None)
    assert found_in(settings) == set()
    assert record.is_done and is_genuine(record)
    assert (money(settings), others(settings)) == (seen, people)
