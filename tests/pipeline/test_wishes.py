"""Who refuses to be profiled has no score and nothing that needs one; who refuses marketing is still served."""

import re
from datetime import date

import duckdb
import pytest
from fastapi.testclient import TestClient

from c360.access import SCOPES, add_token
from c360.api.app import create_app
from lakehouse import warehouse
from lakehouse.contracts import load_feeds
from lakehouse.settings import Settings
from lakehouse.warehouse.derivation import read_lineage
from lakehouse.warehouse.seeds import load_seeds
from ml_jobs.task_file import load_tasks
from tests.pipeline.bank import wishes_of
from tests.pipeline.conftest import D1, D2, D3, Undisturbed

DUTY = "credit_warning"  # the one score that the loan contract asks for
SCORED = re.compile("_(band|probability|uplift)$")


def rows(settings: Settings, statement: str, *parameters: object) -> list[dict]:
    return warehouse.query_serving(settings, statement, list(parameters)).to_pylist()


@pytest.fixture(scope="module")
def bank(day_by_day: Undisturbed) -> Settings:
    return day_by_day.settings


@pytest.fixture(scope="module")
def wishes(bank: Settings) -> dict[str, list[str]]:
    """Customer keys by their wish; somebody whose records say different things is left out."""
    of = {
        row["party_key"]: row["customer_key"]
        for row in rows(bank, "select party_key, customer_key from marts.dim_party")
    }
    keys = {wish: sorted({of[key] for key in keys if key in of}) for wish, keys in wishes_of(bank.landing).items()}
    others = {wish: {key for name, them in keys.items() if name != wish for key in them} for wish in keys}
    return {wish: [key for key in them if key not in others[wish]] for wish, them in keys.items()}


def listed(keys: list[str]) -> str:
    return ", ".join(f"'{key}'" for key in keys)


def tables_of_customers(settings: Settings, *schemas: str) -> dict[str, list[str]]:
    with warehouse.open_store(settings.warehouse) as store:
        found = store.execute(
            "select table_schema || '.' || table_name, list(column_name) from information_schema.columns "
            f"where table_schema in ({listed(list(schemas))}) group by 1 having bool_or(column_name = 'customer_key')"
        ).fetchall()
    return dict(found)


def test_they_were_scored_before_they_refused(history: Settings, wishes: dict[str, list[str]]) -> None:
    """Else nothing below could fail."""
    assert len(wishes["profiling"]) > 10 and len(wishes["marketing"]) > 10 and len(wishes["back"]) > 3
    before = rows(
        history,
        "select count(distinct customer_key) as customers, count(distinct task) as tasks from scores.customer_scores "
        f"where customer_key in ({listed(wishes['profiling'])})",
    )
    assert before[0]["customers"] > 10 and before[0]["tasks"] > 5
    assert rows(
        history, f"select 1 from scores.product_recommendations where customer_key in ({listed(wishes['profiling'])})"
    )
    assert rows(
        history, f"select 1 from scores.customer_segments where customer_key in ({listed(wishes['profiling'])})"
    )


def test_who_refuses_to_be_profiled_is_in_no_table_of_scores(bank: Settings, wishes: dict[str, list[str]]) -> None:
    theirs = f"customer_key in ({listed(wishes['profiling'])})"
    tables = tables_of_customers(bank, "scores")
    assert len(tables) > 20
    for table, columns in tables.items():
        condition = theirs
        if "task" in columns:
            condition += f" and task <> '{DUTY}'"
        elif table.startswith(f"scores.{DUTY}"):
            continue
        if not (
            table.endswith(("_latest", "_scores", "_reasons", "_segments", "_recommendations", "_segments_monthly"))
        ):
            condition += f" and as_of_date >= date '{D1}'"  # what was scored before stays as it was scored
        assert rows(bank, f"select count(*) as n from {table} where {condition}") == [{"n": 0}], table
    assert rows(bank, f"select 1 from scores.churn where {theirs} and as_of_date < date '{D1}'")


def test_nor_in_a_list_nor_in_a_column_that_a_score_fills(bank: Settings, wishes: dict[str, list[str]]) -> None:
    theirs = f"customer_key in ({listed(wishes['profiling'])})"
    for table in ("actions.retention", "actions.next_best_offer"):
        assert rows(bank, f"select 1 from {table}")
        assert rows(bank, f"select 1 from {table} where {theirs}") == [], table
    sources = rows(bank, f"select distinct source from actions.worklist where {theirs} and basis = 'score'")
    assert {row["source"] for row in sources} <= {"early_warning"}
    filled = [
        name
        for name in tables_of_customers(bank, "marts")["marts.customer_360"]
        if (SCORED.search(name) or name.startswith(("segment_", "lifetime_"))) and not name.startswith((DUTY, "age_"))
    ]
    assert len(filled) > 20
    for row in rows(bank, f"select {', '.join(filled)} from marts.customer_360 where {theirs}"):
        assert set(row.values()) == {None}
    assert rows(bank, f"select 1 from marts.customer_lifetime_value where {theirs}") == []


def test_nor_scored_at_all(bank: Settings, wishes: dict[str, list[str]]) -> None:
    """In the lake, before anything is published."""
    files = f"{bank.lake}/scores/*/as_of_date=*/*.parquet"
    scores = f"read_parquet('{files}', hive_partitioning = true, filename = true, union_by_name = true)"
    found = duckdb.sql(
        f"select distinct split_part(filename, '/scores/', 2) as file from {scores} "
        f"where customer_key in ({listed(wishes['profiling'])}) and as_of_date >= date '{D1}'"
    ).fetchall()
    assert {file.split("/")[0] for (file,) in found} <= {DUTY}
    segments = f"read_parquet('{bank.lake}/segments/{D3}-*.parquet')"
    assert (
        duckdb.sql(f"select 1 from {segments} where customer_key in ({listed(wishes['profiling'])})").fetchall() == []
    )


def test_who_takes_it_back_is_scored_again_and_the_days_between_stay_as_they_were(
    bank: Settings, wishes: dict[str, list[str]]
) -> None:
    them = f"customer_key in ({listed(wishes['back'])})"
    since = f"{them} and as_of_date >= date '{D1}'"
    days = {row["day"] for row in rows(bank, f"select distinct as_of_date as day from scores.churn where {since}")}
    assert D3 in days and not {D1, D2} & days
    of_profiling = f"{them} and purpose = 'profiling'"
    said = rows(bank, f"select distinct decision from marts.customer_wishes where {of_profiling}")
    assert said == [{"decision": "given"}]


def test_who_refuses_marketing_is_still_scored_and_served(bank: Settings, wishes: dict[str, list[str]]) -> None:
    them = f"customer_key in ({listed(wishes['marketing'])})"
    policy = rows(bank, f"select * from actions.contact_policy where {them}")
    assert len(policy) > 10 and not any(row["is_allowed"] for row in policy)
    served = [row for row in policy if row["is_service_allowed"]]
    assert served and {row["block_reason"] for row in served} == {"opted out"}
    assert rows(bank, f"select count(distinct customer_key) as n from scores.customer_scores where {them}")[0]["n"] > 10
    handed_out = rows(bank, f"select distinct source from actions.worklist where {them} and is_handed_out")
    assert {row["source"] for row in handed_out} <= {"outflow_actions", "early_warning", "collections"}
    theirs = f"customer_key in ({listed(wishes['profiling'])})"
    allowed = rows(bank, f"select count(*) as n from actions.contact_policy where {theirs} and is_allowed")
    assert allowed[0]["n"] > 0, "to refuse profiling is not to refuse marketing"


def test_the_api_hands_out_nothing_of_a_score(bank: Settings, wishes: dict[str, list[str]]) -> None:
    token = add_token(bank.api_tokens, "wishes", SCOPES, date(9999, 1, 1))
    with TestClient(create_app(bank), headers={"Authorization": f"Bearer {token}"}) as client:
        for key in wishes["profiling"]:
            for name in ("scores", "reasons"):
                answer = client.get(f"/api/v1/customers/{key}/{name}").raise_for_status().json()
                assert {row["task"] for row in answer["rows"]} <= {DUTY}
            listing = client.get(f"/api/v1/customers/{key}/worklist").raise_for_status().json()
            assert {row["source"] for row in listing["rows"] if row["basis"] == "score"} <= {"early_warning"}


def test_every_score_and_list_has_a_purpose_and_features_come_from_columns_that_have_it(bank: Settings) -> None:
    uses = {(row["use_kind"], row["use_name"]) for row in load_seeds()["purposes_of_use"].rows()}
    assert {("score", task) for task in load_tasks()} <= uses
    assert {("action", row["source"]) for row in load_seeds()["worklist_priorities"].rows()} <= uses
    purposes = {(name, column.name): column.purposes for name, feed in load_feeds().items() for column in feed.columns}
    about = {name for name, feed in load_feeds().items() if not feed.about_nobody}
    lineage = read_lineage(bank)
    for table in ("customer_features", "purchase_features", "prospect_features"):
        columns = rows(bank, f"select * from features.{table} limit 1")[0] if table != "prospect_features" else {}
        for column in columns:
            for root in lineage.roots(f"features.{table}.{column}"):
                feed, _, name = root.partition(".")
                if feed in about and (feed, name) in purposes and not column.endswith(("_key", "_date")):
                    assert {"profiling", "credit_risk"} & set(purposes[feed, name]), f"{table}.{column} uses {root}"
    told = rows(bank, "select feed, column_name, purpose, legal_ground from ops.processing_purposes")
    assert {(row["feed"], row["column_name"], row["purpose"]) for row in told} == {
        (feed, name, purpose) for (feed, name), named in purposes.items() for purpose in named
    }
    assert all(row["legal_ground"] for row in told)
