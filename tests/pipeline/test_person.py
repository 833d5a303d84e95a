"""The whole record of one person of a bank: by value nothing of theirs is missing, and nobody else's is in it."""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import duckdb
import jsonschema
import pytest
from typer.testing import CliRunner

from c360.access import add_person
from c360.cli.main import app
from lakehouse import warehouse
from lakehouse.lake import audit
from lakehouse.settings import Settings
from lakehouse.warehouse.provenance import parties_of
from tests.pipeline.bank import READER_SCHEMAS, copy_of
from tests.pipeline.conftest import D3, Undisturbed

FOREVER = date(9999, 1, 1)
WHOSE = {"customer_key", "party_key", "account_no_token", "node_key"}


@pytest.fixture(scope="module")
def bank(day_by_day: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return copy_of(day_by_day.settings, tmp_path_factory.mktemp("person"))


@pytest.fixture(scope="module")
def key(bank: Settings) -> str:
    """A customer with several records and actions."""
    rows = warehouse.query_serving(
        bank,
        "select customer_key from actions.worklist inner join marts.dim_customer using (customer_key) "
        "where is_current and party_count > 1 group by customer_key order by count(*) desc, customer_key limit 1",
    )
    return rows["customer_key"][0].as_py()


def ask(bank: Settings, role: str, *arguments: str) -> tuple[int, str]:
    """The command as somebody of a role calls it."""
    grants = bank.api_tokens
    token = add_person(grants, f"S-{role}-{len(arguments)}-{hash(arguments)}", role, FOREVER)
    done = CliRunner().invoke(app, ["export", "person", *arguments], env=bank.environment() | {"C360_TOKEN": token})
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def folder(bank: Settings, key: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("asked") / "record"
    code, told = ask(bank, "privacy_officer", key, str(out))
    assert code == 0, told
    return out


def test_the_files_are_closed_and_as_their_schema_says(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == dict.fromkeys(
        ("person.html", "person.json", "person.schema.json"), 0o600
    )
    record = json.loads((folder / "person.json").read_text())
    jsonschema.validate(record, json.loads((folder / "person.schema.json").read_text()))
    assert record["business_date"] == str(D3)
    assert "http" not in (folder / "person.html").read_text().replace("http-equiv", "")


def any_of(columns: Iterable[str]) -> str:
    """SQL: whether any column has one of the keys; never null."""
    return (
        " or ".join(f'coalesce("{name}" in (select unnest($1)), false)' for name in columns)
        .join("()")
        .replace("()", "(false)")
    )


def counted(store: duckdb.DuckDBPyConnection, table: str, condition: str, keys: list[str]) -> int:
    """Rows of a table that hold a condition on the keys."""
    parameters = [keys] if "$1" in condition else []
    return store.execute(f"select count(*) from {table} where {condition}", parameters).fetchall()[0][0]


def test_every_published_row_that_names_the_person_is_counted(bank: Settings, key: str, folder: Path) -> None:
    """Found by value, in any column of text, without a list of tables."""
    record = json.loads((folder / "person.json").read_text())
    told = {made["table"]: (len(made["rows"]), made["mention_count"]) for made in record["published"]}
    parties = parties_of(bank, key)
    with warehouse.open_store(bank.warehouse) as store:
        names = store.execute(
            "select table_schema || '.' || table_name, list(column_name) from information_schema.columns "
            f"where table_schema in {(*READER_SCHEMAS, 'ops')} and data_type = 'VARCHAR' group by 1"
        ).fetchall()
        accounts = store.execute(
            "select account_no_token from marts.dim_account where customer_key in (select unnest($1))", [parties]
        ).fetchall()
        keys = [*parties, *(token for (token,) in accounts)]
        assert len(names) > 100
        for name, columns in names:
            owning = any_of(column for column in columns if column in WHOSE)
            naming = any_of(column for column in columns if column not in WHOSE)
            owned, named = (
                counted(store, name, condition, keys) for condition in (owning, f"{naming} and not {owning}")
            )
            if WHOSE & set(columns):
                assert told.get(name, (0, 0)) == (owned, named), name
            else:  # a key within a longer text counts, too
                assert told.get(name, (0, 0))[0] >= named, name
    assert {"actions.worklist", "actions.contact_policy", "scores.customer_scores", "marts.dim_account"} <= set(told)
    assert record["receipts"] and {one["customer_key"] for one in record["receipts"]} <= set(parties)


def test_nothing_of_others_is_in_it(bank: Settings, key: str, folder: Path) -> None:
    own = ", ".join(f"'{party.partition(':')[2]}'" for party in parties_of(bank, key))
    values: dict[bool, set[str]] = {True: set(), False: set()}
    for feed, number in (("customers", "customer_no"), ("registrations", "user_id"), ("social_leads", "lead_id")):
        rows = f"read_parquet('{bank.lake}/raw/{feed}/*/*.parquet', hive_partitioning = false, union_by_name = true)"
        personal = [name for name in ("phone", "email", "id_no") if name != "email" or feed != "social_leads"]
        for column in personal if feed != "social_leads" else ("phone",):
            for text, is_own in duckdb.sql(f"select distinct {column}, {number} in ({own}) from {rows}").fetchall():
                values[is_own].add(text or "")
    content = "".join((folder / name).read_text() for name in ("person.json", "person.html"))
    assert len(values[False]) > 800
    assert {text for text in values[True] if text and text in content} == values[True] - {""}
    assert [text for text in values[False] - values[True] if text and text in content] == []


def test_who_asked_is_written_down_and_others_are_refused(
    bank: Settings, key: str, folder: Path, tmp_path: Path
) -> None:
    code, told = ask(bank, "auditor", key, str(tmp_path / "no"))
    assert code == 1 and "may not export a person's record" in told
    assert not (tmp_path / "no").exists()
    again = tmp_path / "again"
    code, told = ask(bank, "privacy_officer", key, str(again), "--lang", "zh")
    assert code == 0, told
    page = (again / "person.html").read_text()
    assert "本行保存的关于您的信息" in page and "What the bank keeps" not in page
    looked = json.loads((again / "person.json").read_text())["looked"]
    kinds = [(one["role_name"], one["event_kind"]) for one in looked if one["page"] == "export person"]
    assert kinds == [("privacy_officer", "view"), ("command", "refusal"), ("privacy_officer", "view")]
    told = [(one["kind"], one["subject"], one["detail"]) for one in audit.read(bank.lake)]
    assert told.count(("export", "person", key)) == 2
    assert {one["by"][:9] for one in audit.read(bank.lake) if one["detail"] == key} == {"S-privacy"}


def test_a_number_finds_its_person(bank: Settings, key: str, tmp_path: Path) -> None:
    rows = f"read_parquet('{bank.lake}/raw/accounts/*/*.parquet', hive_partitioning = false)"
    number = duckdb.sql(f"select min(account_no) from {rows} where 'cif:' || customer_no = '{key}'").fetchall()[0][0]
    code, told = ask(bank, "privacy_officer", number, str(tmp_path / "out"), "--by", "account")
    assert code == 0, told
    assert json.loads((tmp_path / "out" / "person.json").read_text())["customer_key"] == key
    code, told = ask(bank, "privacy_officer", "cif:nobody", str(tmp_path / "none"))
    assert code == 1 and "no customer has it" in told
