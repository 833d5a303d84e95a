"""On Postgres too a person is erased from a whole bank, and no restore brings them back: not from an older backup."""

import json
import shutil
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from typer.testing import CliRunner

from c360 import pipeline
from c360.cli.main import app
from lakehouse import warehouse
from lakehouse.settings import Settings
from tests.lakehouse.erasure.bank import SENTINELS, found
from tests.pipeline.faults.conftest import Install
from tests.pipeline.faults.installation import D1
from tests.pipeline.faults.server import Server
from tests.pipeline.test_erasure import ABSENT, EMAIL, KEY, NAME, PHONE, money, others, plant

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
PLANTED = set(SENTINELS) - {*ABSENT, "Sentinel.Quux"}


def dsn_of(settings: Settings) -> str:
    return settings.postgres_dsn.get_secret_value()


def command(settings: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> dict:
    """What a command on the bank says, as JSON."""
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def in_rows(settings: Settings) -> set[str]:
    """``table: text`` of every text that a row of any schema still tells."""
    with psycopg.connect(dsn_of(settings)) as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert len(tables) > 200
        return {
            f"{schema}.{table}: {text}"
            for schema, table in tables
            for text, is_there in zip(SENTINELS, _told(connection, schema, table), strict=True)
            if is_there
        }


def _told(connection: psycopg.Connection, schema: str, table: str) -> tuple[bool | None, ...]:
    tests = sql.SQL(", ").join(
        sql.SQL("bool_or(position({} in cast(rows as text)) > 0)").format(sql.Literal(text)) for text in SENTINELS
    )
    (row,) = connection.execute(
        sql.SQL("select {} from {} as rows").format(tests, sql.Identifier(schema, table))
    ).fetchall()
    return row


def in_files(settings: Settings, server: Server) -> set[str]:
    """``table: text`` of every text in the files of the database: rows that were deleted leave their bytes there."""
    with psycopg.connect(dsn_of(settings)) as connection:
        tables = dict(connection.execute("select pg_relation_filenode(oid), cast(oid as regclass) from pg_class"))
        (oid,) = connection.execute("select oid from pg_database where datname = current_database()").fetchone()
    with server.administrator() as connection:
        connection.execute("checkpoint")
    files = {path.name: path.read_bytes() for path in (server.folder / "base" / str(oid)).iterdir()}
    assert sum(map(len, files.values())) > 10_000_000
    return {
        f"{tables.get(int(node), name) if (node := name.partition('.')[0]).isdigit() else name}: {text}"
        for name, content in files.items()
        for text in SENTINELS
        if text.encode() in content
    }


def test_who_was_erased_is_in_no_row_nor_file_and_comes_back_by_no_backup(
    on_postgres: Install, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = on_postgres().settings
    root = made.lake.parent
    settings = made.model_copy(update={"landing": root / "landing"})
    shutil.copytree(made.landing, settings.landing)
    plant(settings.landing, D1)
    pipeline.run(settings, D1, D1)
    command(settings, monkeypatch, "backup", str(root / "vault"), "--landing")
    shutil.copytree(root / "vault", tmp_path / "away")  # it lay elsewhere when the person was erased
    told = {one.rpartition(": ")[2] for one in (*in_rows(settings), *found(settings))}
    assert told >= PLANTED
    assert {one.rpartition(": ")[2] for one in in_files(settings, server)} >= {NAME, EMAIL, PHONE}
    seen, people = money(settings), others(settings)

    record = command(settings, monkeypatch, "erase", f"cif:{KEY}", "--by", "S0042", "--reason", "asked for it")
    assert record["publish"] == warehouse.published_snapshot(settings).publish_id
    assert in_rows(settings) == set()
    assert in_files(settings, server) == set()
    assert found(settings) == []
    assert (money(settings), others(settings)) == (seen, people)

    other = settings.model_copy(update={"postgres_dsn": SecretStr(server.create("elsewhere"))})
    back = command(other, monkeypatch, "restore", str(tmp_path / "away"), "--into", str(tmp_path / "back"))
    assert (back["business_date"], back["erasures_replayed"]) == (str(D1), 1)
    assert in_rows(other) == set()
    assert in_files(other, server) == set()
    assert found(other, folder=tmp_path / "back") == []
    assert (money(other), others(other)) == (seen, people)
