"""Write dbt's sources and staging models from the contracts: ``python -m lakehouse.warehouse.dbt_sources``."""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from lakehouse.contracts import Column, Feed, load_feeds
from lakehouse.lake import Outcome
from lakehouse.settings import PROJECT

STAGING = PROJECT / "dbt_project" / "models" / "staging"
HEADER = "Written by `python -m lakehouse.warehouse.dbt_sources`: change the contract, not this file.\n"
CURRENT, VERSIONS = "Current rows only.", "Every version that was ever known."

LAKE_COLUMNS = {
    "_file": ("varchar", "Landing file that the row came in"),
    "_row": ("bigint", "Physical line in that file; the header is line 1"),
    "_known_date": ("date", "Day from which the bank's system knew the row"),
    "_delivery": ("varchar", "Delivery, as <feed>/<period>/v<version>-<hash12>"),
    "_superseded_date": ("date", "Day from which another delivery took its place; null while current"),
}
OUTCOMES = {
    "delivery_id": ("varchar", "Delivery, as <feed>/<period>/v<version>-<hash12>"),
    "feed": ("varchar", "Feed"),
    "channel": ("varchar", "branch, online, reference or feedback"),
    "period": ("varchar", "Day, or month of an initial load"),
    "version": ("integer", "Version of the period"),
    "load": ("varchar", "initial or daily"),
    "source_hash": ("varchar", "Hash over the manifest and the data files as they landed"),
    "cutoff_date": ("date", "Day from which the delivery is known"),
    "outcome": ("varchar", "loaded, replaced (an earlier version) or rejected"),
    "reason": ("varchar", "Why it was rejected; null if it was not"),
    "rows_delivered": ("bigint", "Rows that the manifest announced"),
    "rows_loaded": ("bigint", "Rows that became lake rows"),
    "rows_quarantined": ("bigint", "Rows that went to quarantine"),
    "min_business_date": ("date", "First business date among the loaded rows"),
    "max_business_date": ("date", "Last business date among the loaded rows"),
    "late_rows": ("bigint", "Loaded rows whose business date lies before the period"),
    "lake_file": ("varchar", "Lake file, relative to the lake; null if rejected"),
    "quarantine_file": ("varchar", "Quarantine file, relative to the lake; null without rejects"),
    "files": ("varchar", "Landing files, comma separated"),
    "superseded_date": ("date", "Day from which another delivery took its place; null while current"),
}
RUN_STEPS = {
    "run_id": ("varchar", "Run"),
    "business_date": ("date", "Business date of the run"),
    "step": ("varchar", "Step"),
    "status": ("varchar", "success or failed"),
    "started_at": ("timestamp", "Start, UTC"),
    "ended_at": ("timestamp", "End, UTC"),
    "error": ("varchar", "Why it failed; null if it did not"),
    "detail": ("varchar", "What it did, as JSON"),
}
CUSTOMER_XREF = {
    "party_key": ("varchar", "One source's record of a person or an organisation"),
    "customer_key": ("varchar", "Customer: the earliest-known party record of its cluster"),
    "rule": ("varchar", "Rule that joined the record to the customer"),
    "match_weight": ("double precision", "Weight of the match"),
    "valid_from": ("date", "First day"),
    "valid_to": ("date", "First day on which it no longer holds; null while it does"),
}
IDENTITY_REVIEW = {
    "left_party_key": ("varchar", "One party record"),
    "right_party_key": ("varchar", "The other one"),
    "left_customer_key": ("varchar", "Customer of the one"),
    "right_customer_key": ("varchar", "Customer of the other"),
    "match_weight": ("double precision", "Weight of the match in bits"),
    "reason": ("varchar", "Why they were not joined"),
    "evidence": ("varchar", "What each comparison came to, without the values"),
    "known_from": ("date", "Day from which the pair is known"),
}
SCORES = {
    "task": ("varchar", "Score, by the name of its task"),
    "customer_key": ("varchar", "Customer, as known on the as-of date"),
    "as_of_date": ("date", "Day that the score speaks of"),
    "horizon_days": ("integer", "Days ahead"),
    "probability": ("double precision", "Calibrated probability"),
    "band": ("varchar", "Band of the probability"),
    "rank": ("integer", "Rank on the as-of date; 1 is the highest probability"),
    **{
        name: column
        for place in (1, 2, 3)
        for name, column in {
            f"reason_{place}_code": ("varchar", f"Reason {place}: feature"),
            f"reason_{place}_value": ("double precision", f"Reason {place}: value of the feature"),
        }.items()
    },
    "model_name": ("varchar", "Kind of model"),
    "model_version": ("varchar", "Training date and the pin of its content"),
    "feature_version": ("varchar", "Version of the feature definitions"),
    "scored_at": ("timestamp", "Time of the scoring, UTC"),
}
MODEL_MONITORING = {
    "task": ("varchar", "Score, by the name of its task"),
    "as_of_date": ("date", "Business date of the figure"),
    "model_version": ("varchar", "Model that it is about"),
    "measure": ("varchar", "stability_index, missing_rise, calibration_gap or roc_auc"),
    "feature": ("varchar", "Feature, or (score) for the score itself"),
    "measured_date": ("date", "As-of date of the rows that were measured"),
    "value": ("double precision", "Value"),
    "threshold": ("double precision", "Limit"),
    "is_alert": ("boolean", "True beyond the limit"),
}
NETWORK = {
    "node_key": ("varchar", "Customer, or outside:<token>"),
    "in_degree": ("integer", "Payers"),
    "out_degree": ("integer", "Payees"),
    "pagerank": ("double precision", "PageRank by recency-weighted amounts"),
    "component_key": ("varchar", "Smallest node key of the component"),
    "component_size": ("integer", "Nodes in the component"),
    "community_key": ("varchar", "Smallest node key of the community"),
    "community_size": ("integer", "Nodes in the community"),
}
CHANGE_POINTS = {
    "customer_key": ("varchar", "Customer"),
    "change_date": ("date", "First month-end at the level"),
    "usual_amount": ("decimal(38,2)", "Usual assets before"),
    "level_amount": ("decimal(38,2)", "Average assets at the level, up to the next change-point"),
}
SEGMENTS = {
    "customer_key": ("varchar", "Customer, as known on the as-of date"),
    "as_of_date": ("date", "Month-end, or the business date"),
    "segment_id": ("integer", "Group"),
    "distance": ("double precision", "Distance to the centre of the group"),
    "confidence": ("double precision", "1 at the centre of the group, 0 as near to another"),
    "model_version": ("varchar", "Training date and the pin of its content"),
}
SEGMENT_GROUPS = {
    "segment_id": ("integer", "Group"),
    "segment_name_en": ("varchar", "Name"),
    "segment_name_zh": ("varchar", "Name in Chinese"),
    "profile_en": ("varchar", "In what the group differs from all others"),
    "profile_zh": ("varchar", "The same in Chinese"),
    "model_version": ("varchar", "Training date and the pin of its content"),
}
SEGMENT_TRAITS = {
    "segment_id": ("integer", "Group"),
    "trait": ("varchar", "Trait"),
    "trait_en": ("varchar", "Trait in words"),
    "trait_zh": ("varchar", "Trait in Chinese"),
    "deviation": ("double precision", "Mean place of the group among all customers, in standard deviations"),
    "median_value": ("double precision", "Median of the group"),
    "median_of_all_value": ("double precision", "Median of all"),
}
SEGMENT_STABILITY = {
    "as_of_date": ("date", "Month-end, against the one before"),
    "customer_count": ("integer", "Customers of both"),
    "stayed_rate": ("double precision", "Share of them that are in the same group"),
    "refit_rand": ("double precision", "Adjusted Rand index of models fitted afresh on either month"),
    "refit_rand_low": ("double precision", "Lower end of its 95 % interval"),
    "refit_rand_high": ("double precision", "Upper end"),
    "customers_rand": ("double precision", "Adjusted Rand index of the customers' groups by the model in use"),
    "customers_rand_low": ("double precision", "Lower end of its 95 % interval"),
    "customers_rand_high": ("double precision", "Upper end"),
}
_FORECAST = {
    "measure": ("varchar", "deposit, investment or outflow"),
    "level": ("varchar", "bank, family, branch or branch_family"),
    "as_of_date": ("date", "Last day that the forecast knows"),
    "horizon_weeks": ("integer", "Weeks ahead"),
    "model": ("varchar", "Which candidate forecasts the level"),
    "baseline": ("varchar", "What it is held against"),
}
FORECAST_BALANCES = _FORECAST | {
    "branch_code": ("varchar", "Branch, or all"),
    "product_family": ("varchar", "Product family, class of the counterparty, or all"),
    "week_end_date": ("date", "Sunday that ends the week"),
    "mean_amount": ("double precision", "Forecast"),
    "lower_80_amount": ("double precision", "Lower end of the 80 % interval"),
    "upper_80_amount": ("double precision", "Upper end"),
    "lower_95_amount": ("double precision", "Lower end of the 95 % interval"),
    "upper_95_amount": ("double precision", "Upper end"),
    "baseline_amount": ("double precision", "What the baseline says"),
}
FORECAST_ACCURACY = _FORECAST | {
    "series_count": ("integer", "Series of the level"),
    "origin_count": ("integer", "Weeks from which it was tried"),
    "mae_amount": ("double precision", "Mean absolute error"),
    "mae_low_amount": ("double precision", "Lower end of its 95 % interval"),
    "mae_high_amount": ("double precision", "Upper end"),
    "mase": ("double precision", "Mean absolute scaled error"),
    "baseline_mae_amount": ("double precision", "Mean absolute error of the baseline"),
    "naive_mae_amount": ("double precision", "Mean absolute error if nothing changed"),
    "skill": ("double precision", "1 less the error as a share of the baseline's"),
    "skill_low": ("double precision", "Lower end of its 95 % interval"),
    "skill_high": ("double precision", "Upper end"),
    "coverage_80": ("double precision", "Share of outcomes within the 80 % interval"),
    "coverage_95": ("double precision", "Share of outcomes within the 95 % interval"),
}
INTRADAY_TRANSACTIONS = {
    "txn_id": ("varchar", "Posting number"),
    "account_no": ("varchar", "Account posted to"),
    "business_date": ("date", "Booking day"),
    "direction": ("varchar", "C money in, D money out"),
    "amount": ("decimal(18,2)", "Amount"),
}
INTRADAY_WALLET_PAYMENTS = {
    "payment_id": ("varchar", "Payment number"),
    "binding_id": ("varchar", "Binding"),
    "business_date": ("date", "Day"),
    "amount": ("decimal(18,2)", "Amount"),
}
REJECTS = {
    "feed": ("varchar", "Feed"),
    "period": ("varchar", "Period of the delivery"),
    "version": ("integer", "Version of the period"),
    "file": ("varchar", "Landing file"),
    "row": ("bigint", "Physical line in that file; the header is line 1"),
    "column_name": ("varchar", "Column at fault; null for the whole row"),
    "reason": ("varchar", "Why the row was refused"),
    "raw_text": ("varchar", "The row as it came"),
    "business_date": ("date", "Business date, where it could be read"),
    "account_no": ("varchar", "Account, where it could be read"),
}
VERSIONED = (
    *("accounts", "balances", "transactions", "holdings", "customers", "cards", "loans", "loan_repayments"),
    *("branch_visits", "rm_contacts", "complaints", "registrations", "app_events", "mall_orders"),
    *("wallet_bindings", "wallet_payments", "campaign_touches", "campaign_responses", "action_outcomes"),
    *("products", "rm_assignments", "social_leads"),
)
LAKE_KEYS = {
    "delivery_outcomes": ("delivery_id",),
    "run_steps": ("run_id", "step"),
    "customer_xref": ("party_key", "valid_from"),
    "identity_review": ("left_party_key", "right_party_key"),
    "network": ("node_key",),
    "change_points": ("customer_key", "change_date"),
    "segments": ("customer_key", "as_of_date"),
    "segment_groups": ("segment_id",),
    "segment_traits": ("segment_id", "trait"),
    "segment_stability": ("as_of_date",),
    "forecast_balances": ("measure", "level", "branch_code", "product_family", "horizon_weeks"),
    "forecast_accuracy": ("measure", "level", "horizon_weeks"),
    "intraday_transactions": (),  # an event comes as often as it is sent
    "intraday_wallet_payments": (),
    "scores": ("task", "customer_key", "as_of_date", "horizon_days", "model_version"),
    "model_monitoring": ("task", "as_of_date", "model_version", "measure", "feature", "measured_date"),
    "rejects": ("feed", "period", "version", "file", "row", "column_name"),
}
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
        **{STAGING / "lake" / f"stg_lake__{table['name']}.sql": _lake_sql(source, table) for source, table in _lake()},
    }


def sources_yaml() -> str:
    """The text of ``_raw__sources.yml``: everything that lakehouse/warehouse attaches."""
    tables = [_table(feed.name, feed.description, _feed_columns(feed)) for feed in load_feeds().values()]
    tables += [table for source, table in _lake() if source == "raw"]
    rejects = [table for source, table in _lake() if source == "quarantine"]
    return _dump(
        {
            "sources": [
                {"name": "raw", "schema": "raw", "description": "The pinned lake, by feed.", "tables": tables},
                {"name": "quarantine", "schema": "quarantine", "description": "Refused rows.", "tables": rejects},
            ]
        }
    )


def staging_yaml() -> str:
    """The text of ``_staging__models.yml``: what every staging view and column means, and its key."""
    models = [_model(name, feed) for name, feed in _feed_models()]
    models += [
        {
            "name": f"stg_lake__{table['name']}",
            "description": table["description"],
            **_key(LAKE_KEYS[table["name"]]),
            "columns": [{"name": column["name"], "description": column["description"]} for column in table["columns"]],
        }
        for _, table in _lake()
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
    groups["lake"] = [column for column in LAKE_COLUMNS if column != "_superseded_date" or feed.name in VERSIONED]
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


def _lake() -> list[tuple[str, dict[str, Any]]]:
    """(source, table) of everything in the lake that is no feed: what the pipeline's steps wrote."""
    assert set(OUTCOMES) >= {field.name for field in fields(Outcome)}
    tables = [
        _table("delivery_outcomes", "What became of each delivery.", OUTCOMES),
        _table("run_steps", "Steps of the runs.", RUN_STEPS),
        _table("customer_xref", "Party records and their customers, from the identity step.", CUSTOMER_XREF),
        _table("identity_review", "Pairs of party records that a clerk should look at.", IDENTITY_REVIEW),
        _table("network", "Nodes of the payment network, from ml_jobs/derived/network.py.", NETWORK),
        _table("change_points", "Levels of customers' assets, from ml_jobs.derived.change_points.", CHANGE_POINTS),
        _table(
            "segments",
            "Groups of the customers without a relationship manager, from ml_jobs.derived.segments.",
            SEGMENTS,
        ),
        _table("segment_groups", "The groups, from the card of their model.", SEGMENT_GROUPS),
        _table("segment_traits", "What the groups are made of, from the card of their model.", SEGMENT_TRAITS),
        _table("segment_stability", "How stable the groups are, from the card of their model.", SEGMENT_STABILITY),
        _table("forecast_balances", "Forecasts of weekly balances and outflows.", FORECAST_BALANCES),
        _table("forecast_accuracy", "What the forecasts were worth by rolling origin.", FORECAST_ACCURACY),
        _table("intraday_transactions", "Events of the last days, as often as they came.", INTRADAY_TRANSACTIONS),
        _table("intraday_wallet_payments", "Events of the last days, as often as they came.", INTRADAY_WALLET_PAYMENTS),
        _table("scores", "Scores of all tasks, as scored.", SCORES),
        _table("model_monitoring", "Drift and calibration of the models, of the last days.", MODEL_MONITORING),
    ]
    rejects = _table("rejects", "Rows that were refused, with the reason and the raw text.", REJECTS)
    return [("raw", table) for table in tables] + [("quarantine", rejects)]


def _lake_sql(source: str, table: dict[str, Any]) -> str:
    columns = [column["name"] for column in table["columns"]]
    quoted = [f'"{column}"' if column in RESERVED else column for column in columns]
    return _sql(table["description"], f"{{{{ source('{source}', '{table['name']}') }}}}", {"": quoted})


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


def _feed_columns(feed: Feed) -> dict[str, tuple[str, str]]:
    described = {column.name: (column.type, column.description) for column in feed.columns}
    tokens = {f"{name}_token": ("varchar", f"Token of {name}") for name in feed.tokenised}
    return {**described, **tokens, **LAKE_COLUMNS}


def _table(name: str, description: str, columns: dict[str, tuple[str, str]]) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "columns": [
            {"name": column, "data_type": kind, "description": text} for column, (kind, text) in columns.items()
        ],
    }


def _model(name: str, feed: Feed) -> dict[str, Any]:
    pii = {column.name for column in feed.columns if column.is_pii}
    columns: list[dict[str, Any]] = []
    if party_column(feed):
        columns.append({"name": "party_key", "description": "Party record that the row belongs to"})
    for column, (_, text) in _feed_columns(feed).items():
        if column == "_superseded_date" and feed.name not in VERSIONED:
            continue
        columns.append({"name": column, "description": text, **({"meta": {"pii": True}} if column in pii else {})})
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
    return f"# {HEADER}" + yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True)


if __name__ == "__main__":
    for path, text in written().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
