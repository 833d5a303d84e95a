"""Whom a purpose lets the bank turn to at this moment, by the published policy and what customers have said since."""

from collections.abc import Mapping

import duckdb

from lakehouse import warehouse
from lakehouse.contracts import load_feeds
from lakehouse.ingestion import additions
from lakehouse.settings import Settings
from lakehouse.warehouse.stores import Shown

POLICY = "actions.contact_policy"
HANDED_OUT = "is_handed_out"
OUTCOMES = "action_outcomes"
_KNOWN = "case when policy.customer_key is null then 'unknown to the policy' "
BARS = {  # purpose -> SQL of the first reason against a customer of the table ``given``; null: nothing forbids it
    "contact": _KNOWN + "when said.reason is not null then said.reason when policy.is_allowed is distinct from true "
    "then coalesce(policy.block_reason, 'not allowed') when policy.is_control is distinct from false "
    "then 'control group' end",
    "service": _KNOWN + "when said.reason = 'deceased' then said.reason when policy.is_service_allowed is distinct "
    "from true then coalesce(policy.service_block_reason, 'not allowed') end",
}
_SAID = {"opted_out": "opted out", "deceased": "deceased"}  # outcome -> reason, as contact_policy has it


def said_since(settings: Settings, shown: Shown) -> dict[str, str]:
    """Customer -> why nobody may turn to them any more, by outcomes handed in since the publish.

    The policy of the next day knows them; what is handed on until then must not wait for it.
    """
    if OUTCOMES not in load_feeds():
        return {}
    published = warehouse.published_date(settings)  # of the policy; that of ops is later, after a day that failed
    after = min(published, shown.business_date) if published else None
    handed_in = additions.handed_in(settings, OUTCOMES, after).values()
    told = {row["party_key"]: _SAID[row["outcome"]] for rows in handed_in for row in rows if row["outcome"] in _SAID}
    if not told:
        return {}
    with duckdb.connect(config={"threads": 1}) as connection:
        load(shown, connection, "parties", "marts.dim_party")
        statement = "select party_key, customer_key from parties where party_key in (select unnest(?))"
        customers = dict(connection.execute(statement, [list(told)]).fetchall())
    return {customers.get(party_key) or party_key: reason for party_key, reason in told.items()}


def load_bars(
    shown: Shown, connection: duckdb.DuckDBPyConnection, purpose: str, since: Mapping[str, str], table: str = "given"
) -> str:
    """Load the policy; returns SQL of the rows of a table with their reason: ``bar`` is null where nothing forbids."""
    load(shown, connection, "policy", POLICY)
    connection.execute("create table said (customer_key varchar primary key, reason varchar)")
    if since:
        connection.executemany("insert into said values (?, ?)", list(since.items()))
    return (
        f"select {table}.*, {BARS[purpose]} as bar from {table} left join policy using (customer_key) "
        "left join said using (customer_key)"
    )


def load(shown: Shown, connection: duckdb.DuckDBPyConnection, name: str, table: str) -> set[str]:
    """Copy a published table into memory; returns its columns."""
    connection.register("shown", shown.rows(table))
    connection.execute(f"create table {name} as select * from shown")
    connection.unregister("shown")
    return {column for column, *_ in connection.execute(f"describe {name}").fetchall()}
