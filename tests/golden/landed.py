"""The landed files as tables, read without a line of the pipeline: what a bank's own analyst would do with them."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lakehouse.contracts import Feed, load_feeds
from lakehouse.settings import PROJECT

PARTIES = """
    select 'cif:' || customer_no as party_key, min(known_date) as first_known_date from customers_told group by all
    union all select 'online:' || user_id, min(known_date) from registrations_told group by all
    union all select 'lead:' || lead_id, min(known_date) from social_leads_told group by all
"""


def load(landing: Path, business_date: date, token_secret: str) -> duckdb.DuckDBPyConnection:
    """A database with everything that had landed by ``business_date``: see `read`.

    And ``links`` (party_key, customer_key, first_known_date), the persons behind the records.
    """
    con = read(landing, business_date, token_secret, load_feeds())
    _link(con)
    return con


def read(landing: Path, business_date: date, token_secret: str, feeds: Iterable[str]) -> duckdb.DuckDBPyConnection:
    """A database with what had landed of some feeds by ``business_date``.

    For each feed a table ``<feed>_told`` (every version) and a view ``<feed>`` (the versions and snapshots that still
    hold), with contract columns, ``<col>_token``, ``known_date``, ``delivery``, ``row`` and ``file``; for each seed a
    table.
    """
    con = duckdb.connect()
    con.create_function("average", _average, ["decimal(38,2)", "bigint"], "decimal(38,2)")
    con.execute(f"set variable business_date = date '{business_date}'")
    contracts = load_feeds()
    for feed in feeds:
        _load_feed(con, landing, contracts[feed], business_date, token_secret)
    for seed in (PROJECT / "dbt_project" / "seeds").glob("*.csv"):
        con.execute(f"create table {seed.stem} as select * from read_csv('{seed}', header = true)")
    return con


def _load_feed(con: duckdb.DuckDBPyConnection, landing: Path, feed: Feed, business_date: date, secret: str) -> None:
    types = {column.name: column.type for column in feed.columns}
    columns = types | {f"{name}_token": "varchar" for name in feed.tokenised}
    columns |= {"known_date": "date", "delivery": "varchar", "row": "bigint", "file": "varchar"}
    columns |= {"is_current": "boolean"}
    con.execute(f"create table {feed.name}_told ({', '.join(f'{name} {kind}' for name, kind in columns.items())})")
    manifests = [json.loads(path.read_text()) for path in (landing / feed.name).glob("*.manifest.json")]
    manifests = [manifest for manifest in manifests if manifest["cutoff_at"][:10] <= str(business_date)]
    newest = {}
    for manifest in sorted(manifests, key=lambda manifest: (manifest["period"], manifest["version"])):
        newest["snapshot" if feed.is_snapshot else manifest["period"]] = manifest
    for manifest in manifests:
        name = manifest["files"][0]["name"]
        rows = _read(landing / feed.name / name, feed).reindex(columns=list(types))  # some columns may be absent
        for column in (column for column in feed.columns if column.is_tokenised):
            tokens = {value: _token(secret, value, column.normalise) for value in rows[column.name].dropna().unique()}
            rows[f"{column.name}_token"] = rows[column.name].map(tokens)
        rows["row"] = np.arange(len(rows)) + (2 if feed.format == "delimited" else 1)
        rows["known_date"] = manifest["cutoff_at"][:10]
        if manifest["load"] == "initial":
            day = feed.business_date_column
            lag = pd.Timedelta(days=feed.initial_lag_days)
            rows["known_date"] = (pd.to_datetime(rows[day]) + lag).dt.strftime("%Y-%m-%d") if day else "1900-01-01"
        rows["delivery"] = f"{manifest['period']}/v{manifest['version']}"
        rows["file"] = name
        rows["is_current"] = manifest in newest.values()
        con.register("rows", pa.Table.from_pandas(rows, preserve_index=False))
        casts = ", ".join(f"cast({name} as {kind})" for name, kind in columns.items())
        con.execute(f"insert into {feed.name}_told select {casts} from rows")
        con.unregister("rows")
    con.execute(f"create view {feed.name} as select * exclude (is_current) from {feed.name}_told where is_current")


def _read(path: Path, feed: Feed) -> pd.DataFrame:
    """One data file as text."""
    if feed.format == "delimited":
        form = {"sep": feed.delimiter, "encoding": feed.encoding}
        return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], **form)
    columns = {column.name: "VARCHAR" for column in feed.columns}
    return (
        duckdb.connect()
        .execute(
            "select * from read_json($path, format = 'newline_delimited', columns = $columns)",
            {"path": str(path), "columns": columns},
        )
        .df()
    )


def _token(secret: str, value: str, normalise: str | None) -> str:
    written = {None: str, "upper": str.upper, "lower": str.lower, "digits": lambda text: re.sub(r"\D", "", text)}
    return hmac.new(secret.encode(), written[normalise](value).encode(), hashlib.sha256).hexdigest()


def _average(total: Decimal, count: int) -> Decimal:
    return (total / count).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _link(con: duckdb.DuckDBPyConnection) -> None:
    """Records of one person: the same document, a bound card whose holder has no other document, or the same lead."""
    parties = con.execute(PARTIES).df()
    pairs = con.execute("""
        with documents as (
            select 'cif:' || customer_no as party_key, id_no_token, party_type from customers
            union all
            select 'online:' || user_id, id_no_token,
                   case when id_no like '9%' and length(id_no) = 18 then 'E' else 'P' end
            from registrations
        )
        select one.party_key, other.party_key
        from documents as one join documents as other using (id_no_token, party_type)
        union
        select 'online:' || user_id, 'cif:' || customer_no
        from registrations join cards on card_no_token = bound_card_no_token
        where not exists (
            select * from customers
            where customers.customer_no = cards.customer_no and customers.id_no_token != registrations.id_no_token
        )
        union
        select 'online:' || user_id, 'lead:' || lead_id from registrations join social_leads using (lead_id)
    """).fetchnumpy()
    place = pd.Series(range(len(parties)), index=parties["party_key"])
    left, right = (place[list(side)].to_numpy() for side in pairs.values())
    graph = coo_array((np.ones(len(left)), (left, right)), shape=(len(parties), len(parties)))
    parties["cluster"] = connected_components(graph, directed=False)[1]
    parties = parties.sort_values(["first_known_date", "party_key"])
    parties["customer_key"] = parties.groupby("cluster")["party_key"].transform("first")
    con.register("parties", parties)
    con.execute("""
        create table links as
        select party_key, customer_key, cast(first_known_date as date) as first_known_date from parties
    """)
    con.unregister("parties")
