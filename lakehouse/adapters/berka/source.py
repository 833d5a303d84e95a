"""The published files as tables, one per kind of file: typed, checked and without repeated rows."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import duckdb

from lakehouse.errors import Stop
from lakehouse.sql import only_row


class MalformedSource(Stop):
    """A source file that cannot be taken as published; the message names file, line and column."""


@dataclass(frozen=True)
class Field:
    """How one source column is read: an expression over its text ``{0}``, null where the text holds no such value."""

    column: str
    sql: str = "{0}"
    is_required: bool = True


INTEGER = "try_cast({0} as bigint)"
NUMBER = "try_cast({0} as decimal(18, 2))"
DATE = "cast(try_strptime('19' || {0}, ['%Y%m%d', '%Y%m%d 00:00:00']) as date)"
# Women have 50 added to the month of their birth number.
BIRTH_MONTH = "try_cast(substr({0}, 3, 2) as integer)"
BIRTH_DATE = (
    f"cast(try_strptime('19' || left({{0}}, 2) || lpad(cast({BIRTH_MONTH} % 50 as varchar), 2, '0')"
    " || substr({0}, 5), '%Y%m%d') as date)"
)
GENDER = f"case when {BIRTH_MONTH} > 50 then 'F' else 'M' end"
# 0 is no account; some extracts hold account numbers as floating point.
COUNTERPARTY = "coalesce(cast(try_cast({0} as decimal(18, 0)) as varchar), {0})"

FREQUENCIES = {"POPLATEK MESICNE": "monthly", "POPLATEK TYDNE": "weekly", "POPLATEK PO OBRATU": "after_transaction"}
ROLES = {"OWNER": "owner", "DISPONENT": "authorised"}
STATUSES = {"A": "finished_paid", "B": "finished_unpaid", "C": "running_good", "D": "running_in_debt"}
LEVELS = {"junior": "junior", "classic": "classic", "gold": "gold"}
# VYBER as a type is a withdrawal too, not a third direction.
TYPES = {"PRIJEM": "C", "VYDAJ": "D", "VYBER": "D", "credit": "C", "withdrawal": "D", "withdrawal in cash": "D"}
OPERATIONS = {
    "VKLAD": "cash_in",
    "VYBER": "cash_out",
    "VYBER KARTOU": "card_cash_out",
    "PREVOD Z UCTU": "transfer_in",
    "PREVOD NA UCET": "transfer_out",
    "credit in cash": "cash_in",
    "withdrawal in cash": "cash_out",
    "credit card withdrawal": "card_cash_out",
    "collection from another bank": "transfer_in",
    "remittance to another bank": "transfer_out",
}
PURPOSES = {
    "SIPO": "household",
    "POJISTNE": "insurance",
    "SLUZBY": "statement fee",
    "UROK": "interest",
    "SANKC. UROK": "penalty interest",
    "DUCHOD": "pension",
    "UVER": "loan payment",
    "LEASING": "leasing",
    "household": "household",
    "insurrance payment": "insurance",  # so spelt in the English extracts
    "payment for statement": "statement fee",
    "interest credited": "interest",
    "sanction interest if negative balance": "penalty interest",
}


def _code(column: str, meanings: dict[str, str], is_required: bool = True) -> Field:
    cases = " ".join(f"when '{code}' then '{meaning}'" for code, meaning in meanings.items())
    return Field(column, f"case {{0}} {cases} end", is_required)


# The first field of each table is its key.
TABLES = {
    "district": {
        "district_id": Field("A1", INTEGER),
        "name": Field("A2"),
        "region": Field("A3"),
        "average_salary": Field("A11", NUMBER, is_required=False),
        "unemployment_percent": Field("A13", NUMBER, is_required=False),
    },
    "account": {
        "account_id": Field("account_id", INTEGER),
        "district_id": Field("district_id", INTEGER),
        "frequency": _code("frequency", FREQUENCIES),
        "date": Field("date", DATE),
    },
    "client": {
        "client_id": Field("client_id", INTEGER),
        "district_id": Field("district_id", INTEGER),
        "gender": Field("birth_number", GENDER),
        "birth_date": Field("birth_number", BIRTH_DATE),
    },
    "disp": {
        "disp_id": Field("disp_id", INTEGER),
        "client_id": Field("client_id", INTEGER),
        "account_id": Field("account_id", INTEGER),
        "role": _code("type", ROLES),
    },
    "order": {
        "order_id": Field("order_id", INTEGER),
        "account_id": Field("account_id", INTEGER),
        "bank": Field("bank_to"),
        "account": Field("account_to", COUNTERPARTY),
        "purpose": _code("k_symbol", PURPOSES, is_required=False),
    },
    "loan": {
        "loan_id": Field("loan_id", INTEGER),
        "account_id": Field("account_id", INTEGER),
        "date": Field("date", DATE),
        "amount": Field("amount", NUMBER),
        "duration": Field("duration", INTEGER),
        "payments": Field("payments", NUMBER),
        "status": _code("status", STATUSES),
    },
    "card": {
        "card_id": Field("card_id", INTEGER),
        "disp_id": Field("disp_id", INTEGER),
        "level": _code("type", LEVELS),
        "issued": Field("issued", DATE),
    },
}
TRANS = {
    "trans_id": Field("trans_id", INTEGER),
    "account_id": Field("account_id", INTEGER),
    "date": Field("date", DATE),
    "direction": _code("type", TYPES),
    "operation": _code("operation", OPERATIONS, is_required=False),
    "amount": Field("amount", NUMBER),
    "balance": Field("balance", NUMBER),
    "purpose": _code("k_symbol", PURPOSES, is_required=False),
    "bank": Field("bank", is_required=False),
    "account": Field("account", COUNTERPARTY, is_required=False),
}
# The course's join of loan, account and trans has other names for three columns.
JOINED_TRANS = TRANS | {
    "trans_id": Field("trans_id_", INTEGER),
    "date": Field("date_transaction", DATE),
    "amount": Field("amount_transaction", NUMBER),
}
TRANS_FILES = {"trans*.asc*": TRANS, "feup/trans_*.csv*": TRANS, "feup/transactions_df.csv*": JOINED_TRANS}
REFERENCES = [
    ("account", "district_id", "district"),
    ("client", "district_id", "district"),
    ("disp", "client_id", "client"),
    ("disp", "account_id", "account"),
    ("order", "account_id", "account"),
    ("loan", "account_id", "account"),
    ("card", "disp_id", "disp"),
    ("trans", "account_id", "account"),
]


def load(con: duckdb.DuckDBPyConnection, source: Path) -> int:
    """Fill one table per file kind (``trans`` from all its files), with columns ``_file`` and ``_line``.

    Returns
    -------
    int
        Rows that repeat another one value for value, and were dropped.

    Raises
    ------
    MalformedSource
        If a file is lacking, or a value, a key or a reference is not one that the published data can hold.
    """
    repeated_rows = 0
    for table, fields in TABLES.items():
        repeated_rows += _load_table(con, table, [(path, fields) for path in _files(source, f"{table}.asc*")])
    _files(source, "trans*.asc*")
    trans = [(path, fields) for pattern, fields in TRANS_FILES.items() for path in sorted(source.glob(pattern))]
    repeated_rows += _load_table(con, "trans", trans)
    for table, column, parent in REFERENCES:
        _refuse(
            con,
            f"""select _file, _line, '{column}', cast({column} as varchar), 'not in {parent}'
                from "{table}" where {column} not in (select {column} from "{parent}")""",
        )
    _refuse(
        con,
        """select account._file, account._line, 'account_id', cast(account_id as varchar),
                  'has ' || count(disp_id) || ' owners in disp, not one'
           from account left join disp using (account_id) where role = 'owner' or role is null
           group by all having count(disp_id) != 1""",
    )
    return repeated_rows


def _files(source: Path, pattern: str) -> list[Path]:
    """The files of a pattern, by name; at least one."""
    if not (paths := sorted(source.glob(pattern))):
        raise MalformedSource(f"{source}: no {pattern}: give the folder with all files of the data set")
    return paths


def _load_table(con: duckdb.DuckDBPyConnection, table: str, parts: list[tuple[Path, dict[str, Field]]]) -> int:
    fields = list(parts[0][1])
    for number, (path, part) in enumerate(parts):
        _read(con, f"part_{number}", path, part)
    union = " union all ".join(f"select * from part_{number}" for number in range(len(parts)))
    con.execute(f"""
        create table "{table}" as select * from ({union})
        qualify row_number() over (partition by {", ".join(fields)} order by _file, _line) = 1
    """)
    _refuse(
        con,
        f"""select _file, _line, '{fields[0]}', cast({fields[0]} as varchar), 'given before with other values'
            from "{table}" qualify row_number() over (partition by {fields[0]} order by _file, _line) > 1""",
    )
    (delivered,) = only_row(con.execute(f"select count(*) from ({union})"))
    for number in range(len(parts)):
        con.execute(f"drop table part_{number}")
    return delivered - only_row(con.execute(f'select count(*) from "{table}"'))[0]


def _read(con: duckdb.DuckDBPyConnection, table: str, path: Path, fields: dict[str, Field]) -> None:
    """One file as a table of typed ``fields``, ``_file`` and ``_line`` (the header is line 1)."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
        header = [name.strip('"') or "_row" for name in file.readline().rstrip().split(";")]
    if missing := sorted({field.column for field in fields.values()} - set(header)):
        raise MalformedSource(f"{path}, line 1: no column {', '.join(missing)}")
    con.execute(
        f"""create or replace temp table as_text as select row_number() over () + 1 as _line, *
            from read_csv(?, columns = {{{", ".join(f"'{name}': 'varchar'" for name in header)}}}, auto_detect = false,
                          delim = ';', quote = '"', escape = '"', header = true, store_rejects = true)""",
        [str(path)],
    )
    _refuse(con, "select ?, line, column_name, csv_line, error_message from reject_errors", path)
    present = {name: f"nullif(nullif(trim({field.column}), ''), '?')" for name, field in fields.items()}
    typed = {name: field.sql.format(present[name]) for name, field in fields.items()}
    for name, field in fields.items():
        empty = "" if field.is_required else f"and {present[name]} is not null"
        _refuse(
            con,
            f"""select ?, _line, '{field.column}', {field.column}, 'is no value of this column'
                from as_text where {typed[name]} is null {empty}""",
            path,
        )
    columns = ", ".join(f"{sql} as {name}" for name, sql in typed.items())
    con.execute(f"create table {table} as select {columns}, ? as _file, _line from as_text", [str(path)])


def _refuse(con: duckdb.DuckDBPyConnection, sql: str, *paths: Path) -> None:
    """Raise for the first row of a query for file, line, column, value and what is wrong with it."""
    if fault := con.execute(f"{sql} order by 1, 2 limit 1", [str(path) for path in paths]).fetchone():
        file, line, column, value, reason = fault
        raise MalformedSource(f"{file}, line {line}, column {column}: {value!r} {reason}")
