"""Write dbt's sources from the catalog, and the staging docs from the contracts.

Run as ``python -m lakehouse.warehouse.dbt_sources``.
"""

from typing import Any

import yaml

from lakehouse.catalog import Relation, feed_relation, relations
from lakehouse.contracts import Feed, load_feeds
from lakehouse.settings import PROJECT

STAGING = PROJECT / "dbt_project" / "models" / "staging"
HEADER = (
    "# Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.\n"
)
SOURCES = {"raw": "The pinned lake, by feed.", "quarantine": "Refused rows."}  # schema and what it holds
VERSIONED = (
    *("accounts", "balances", "transactions", "holdings", "customers", "cards", "loans", "loan_repayments"),
    *("branch_visits", "rm_contacts", "complaints", "registrations", "app_events", "mall_orders"),
    *("wallet_bindings", "wallet_payments", "campaign_touches", "campaign_responses", "action_outcomes"),
)
PARTY_PREFIX = {"customer_no": "cif:", "user_id": "online:", "lead_id": "lead:"}


def party_column(feed: Feed) -> str | None:
    """The column that names whose record a row is; None where rows belong to no party directly."""
    names = [column.name for column in feed.columns]
    return next((name for name in PARTY_PREFIX if name in names), None)


def sources_yaml() -> str:
    """The text of ``_raw__sources.yml``: every relation that the build engine attaches."""
    return _dump(
        {
            "sources": [
                {
                    "name": schema,
                    "schema": schema,
                    "description": description,
                    "tables": [_table(relation) for relation in relations() if relation.schema == schema],
                }
                for schema, description in SOURCES.items()
            ]
        }
    )


def staging_yaml() -> str:
    """The text of ``_staging__models.yml``: what every staging view and column means."""
    models = []
    for feed in load_feeds().values():
        name = f"stg_{feed.channel}__{feed.name}"
        models.append(_model(name, f"{feed.description} Current rows only.", feed))
        if feed.name in VERSIONED:
            models.append(_model(f"{name}_versions", f"{feed.description} Every version that was ever known.", feed))
    return _dump({"models": models})


def _table(relation: Relation) -> dict[str, Any]:
    return {
        "name": relation.name,
        "description": relation.description,
        "columns": [
            {"name": column.name, "data_type": column.type, "description": column.description}
            for column in relation.columns
        ],
    }


def _model(name: str, description: str, feed: Feed) -> dict[str, Any]:
    pii = {column.name for column in feed.columns if column.is_pii}
    columns: list[dict[str, Any]] = []
    if party_column(feed):
        columns.append({"name": "party_key", "description": "Party record that the row belongs to"})
    for column in feed_relation(feed).columns:
        if column.name == "_superseded_date" and feed.name not in VERSIONED:
            continue
        described = {"name": column.name, "description": column.description}
        columns.append(described | ({"meta": {"pii": True}} if column.name in pii else {}))
    return {"name": name, "description": description, "columns": columns}


def _dump(content: dict[str, Any]) -> str:
    return HEADER + yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    (STAGING / "_raw__sources.yml").write_text(sources_yaml())
    (STAGING / "_staging__models.yml").write_text(staging_yaml())
