"""What readers see of a failure names no customer."""

import duckdb
import pytest

from lakehouse.errors import Stop, without_values
from lakehouse.warehouse import DbtFailed

NAME, DOCUMENT, PHONE = "欧阳晓雯", "110101199003078888", "13900001234"
SECRETS = (NAME, DOCUMENT, PHONE)
STATEMENTS = (
    f"select cast('{NAME}' as decimal(18,2))",
    f"select cast('{PHONE}x' as bigint)",
    f"select cast('{DOCUMENT}' as integer)",
    f"create or replace table t (k varchar primary key); insert into t values ('{NAME}'), ('{NAME}')",
    f"select date '{NAME}'",
)
POSTGRES = (
    f'duplicate key value violates unique constraint "t_pkey"\nDETAIL:  Key (name)=({NAME}) already exists.',
    f'invalid input syntax for type numeric: "{NAME}"',
    f'value "{PHONE}" is out of range for type integer',
)


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("kind", [DbtFailed, ValueError])
def test_a_database_does_not_quote_a_customer(statement: str, kind: type[Exception]) -> None:
    with duckdb.connect() as con, pytest.raises(duckdb.Error) as raised:
        con.execute(statement).fetchall()
    shown = without_values(kind(f"int_customer__profiles: error: {raised.value}"))
    quoted = [text for text in SECRETS if text in shown.partition("LINE 1")[0]]
    assert not quoted, shown
    assert "int_customer__profiles" in shown


@pytest.mark.parametrize("message", POSTGRES)
def test_nor_does_postgres(message: str) -> None:
    assert not [text for text in SECRETS if text in without_values(DbtFailed(message))]


def test_what_is_written_for_people_stays() -> None:
    assert without_values(Stop("transactions_2026-01-05_v1.dat: row 7", "send 'it' again")).endswith("'it' again")
    missing = 'Catalog Error: Table with name "raw.loans" does not exist'
    assert missing in without_values(DbtFailed(missing))
