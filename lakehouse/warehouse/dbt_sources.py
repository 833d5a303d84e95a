"""Write dbt's sources and staging models from the contracts and the catalog of the lake.

Run as ``python -m lakehouse.warehouse.dbt_sources``.
"""

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from lakehouse import catalog
from lakehouse.catalog import Relation, feed_relation
from lakehouse.contracts import Column, Feed, load_feeds
from lakehouse.settings import PROJECT

STAGING = PROJECT / "dbt_project" / "models" / "staging"
HEADER = "Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.\n"
SOURCES = {"raw": "The pinned lake, by feed.", "quarantine": "Refused rows."}  # schema and what it holds
CURRENT, VERSIONS = "Current rows only.", "Every version that was ever known."
VERSIONED = (
    *("accounts", "balances", "transactions", "holdings", "customers", "cards", "loans", "loan_repayments"),
    *("branch_visits", "rm_contacts", "complaints", "consents", "registrations", "app_events", "mall_orders"),
    *("wallet_bindings", "wallet_payments", "campaign_touches", "campaign_responses", "action_outcomes"),
    *("products", "rm_assignments", "social_leads"),
)
RESERVED = {"row"}  # words that SQL keeps for itself
PARTY_PREFIX = {"customer_no": "cif:", "user_id": "online:", "lead_id": "lead:"}


def party_column(feed: Feed) -> str | None:
    """The column that names whose record a row is; None where rows belong to no party directly."""
    names = [column.name for column in feed.columns]
    return next((name for name in PARTY_PREFIX if name in names), None)


def written() -> dict[Path, str]:
    """Every file that this module writes, with its text: sources, staging models, and what their columns mean."""
    return {
        STAGING / "_raw__sources.yml": sources_yaml(),
        STAGING / "_staging__models.yml": staging_yaml(),
        **{STAGING / feed.channel / f"{name}.sql": staging_sql(feed, name) for name, feed in _feed_models()},
        **{
            STAGING / "lake" / f"stg_lake__{relation.name}.sql": _lake_sql(relation)
            for relation in catalog.step_relations()
        },
    }


def sources_yaml() -> str:
    """The text of ``_raw__sources.yml``: every relation that the build engine attaches."""
    return _dump(
        {
            "sources": [
                {
                    "name": schema,
                    "schema": schema,
                    "description": description,
                    "tables": [_table(relation) for relation in catalog.relations() if relation.schema == schema],
                }
                for schema, description in SOURCES.items()
            ]
        }
    )


def staging_yaml() -> str:
    """The text of ``_staging__models.yml``: what every staging view and column means, and its key."""
    models = [_model(name, feed) for name, feed in _feed_models()]
    models += [
        {
            "name": f"stg_lake__{relation.name}",
            "description": relation.description,
            **_key(relation.key),
            "columns": [{"name": column.name, "description": column.description} for column in relation.columns],
        }
        for relation in catalog.step_relations()
    ]
    return _dump({"models": models})


def staging_sql(feed: Feed, name: str) -> str:
    """The SQL of a feed's staging view, its columns in groups; ``name`` says whether of all versions or the current."""
    party = party_column(feed)
    groups: dict[str, list[str]] = {"ids": [], "texts": [], "booleans": [], "numbers": [], "dates and times": []}
    if party:
        groups["ids"].append(f"cast('{PARTY_PREFIX[party]}' || {party} as varchar) as party_key")
    for column in feed.columns:
        groups.setdefault(_group(feed, column), []).append(column.name)
    groups["tokens"] = [f"{column}_token" for column in feed.tokenised]
    groups["lake"] = _added_columns(feed)
    is_current = not name.endswith("_versions")
    return _sql(
        f"{feed.description} {CURRENT if is_current else VERSIONS}",
        f"{{{{ source('raw', '{feed.name}') }}}}" + ("\n    where _superseded_date is null" if is_current else ""),
        groups,
    )


def _feed_models() -> Iterator[tuple[str, Feed]]:
    for feed in load_feeds().values():
        yield f"stg_{feed.channel}__{feed.name}", feed
        if feed.name in VERSIONED:
            yield f"stg_{feed.channel}__{feed.name}_versions", feed


def _group(feed: Feed, column: Column) -> str:
    if column.is_pii:
        return "personal data"
    if column.type in ("date", "timestamp"):
        return "dates and times"
    if column.name in feed.key or column.name.endswith(("_no", "_id", "_code", "_key")):
        return "ids"
    return {"varchar": "texts", "boolean": "booleans"}.get(column.type, "numbers")


def _added_columns(feed: Feed) -> list[str]:
    """What ingestion and attachment add to a feed's columns, as far as staging shows it."""
    added = [column.name for column in feed_relation(feed).columns if column.name.startswith("_")]
    return [name for name in added if name != "_superseded_date" or feed.name in VERSIONED]


def _lake_sql(relation: Relation) -> str:
    names = [column.name for column in relation.columns]
    quoted = [f"{{{{ adapter.quote('{name}') }}}}" if name in RESERVED else name for name in names]
    return _sql(relation.description, f"{{{{ source('{relation.schema}', '{relation.name}') }}}}", {"": quoted})


def _sql(description: str, relation: str, groups: dict[str, list[str]]) -> str:
    lines = []
    for heading, columns in groups.items():
        if heading and columns:
            lines.append(f"---------- {heading}")
        lines += [f"{column}," for column in columns]
    selected = "\n        ".join(lines).removesuffix(",")
    comment = textwrap.fill(description, 120, initial_indent="-- ", subsequent_indent="-- ")
    return f"""{comment}
-- {HEADER}with source as (

    select * from {relation}

),

renamed as (

    select
        {selected}
    from source

)

select * from renamed
"""


def _table(relation: Relation) -> dict[str, Any]:
    return {
        "name": relation.name,
        "description": relation.description,
        "columns": [
            {"name": column.name, "data_type": column.type, "description": column.description}
            for column in relation.columns
        ],
    }


def _model(name: str, feed: Feed) -> dict[str, Any]:
    pii = {column.name for column in feed.columns if column.is_pii}
    columns: list[dict[str, Any]] = []
    if party_column(feed):
        columns.append({"name": "party_key", "description": "Party record that the row belongs to"})
    for column in feed_relation(feed).columns:
        if column.name == "_superseded_date" and feed.name not in VERSIONED:
            continue
        described = {"name": column.name, "description": column.description}
        columns.append(described | ({"meta": {"pii": True}} if column.name in pii else {}))
    which = VERSIONS if name.endswith("_versions") else CURRENT
    return {
        "name": name,
        "description": f"{feed.description} {which}",
        **_key((*feed.key, "_delivery")),
        "columns": columns,
    }


def _key(columns: Iterable[str]) -> dict[str, Any]:
    """The test of a key, which reads all of a view's history: not on business dates (tag ``whole_history``)."""
    if not columns:
        return {}
    test = {"arguments": {"columns": list(columns)}, "config": {"tags": ["whole_history"]}}
    return {"data_tests": [{"has_unique_key": test}]}


def _dump(content: dict[str, Any]) -> str:
    return f"# {HEADER}" + yaml.safe_dump(content, sort_keys=False, width=100, allow_unicode=True)


if __name__ == "__main__":
    for path, text in written().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
