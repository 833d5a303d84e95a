"""The steps of a business date for a bench to time, and the marts that a bench compares with those of others."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any
from unittest.mock import patch

from c360 import pipeline
from lakehouse import lake, warehouse
from lakehouse.contracts import CHANNELS, load_deployment
from lakehouse.identity import link
from lakehouse.settings import Settings
from lakehouse.warehouse.dbt import target_path

RUN = "bench"  # id of the runs
LOAD = "ingest transactions"  # the step that loads what the compared marts are made from
COMPARED_MARTS = ("fct_transactions", "fct_balances_daily", "account_monthly")
MART_FIGURES = {  # what must be equal in everybody's marts: SQL over the build engine
    "postings": "select count(*), sum(signed_amount) from build_marts.fct_transactions",
    "balances": "select count(*), sum(balance_amount) from build_marts.fct_balances_daily where txn_count > 0",
    "months": "select count(*), sum(outflow_amount), sum(counterparty_count) from build_marts.account_monthly",
}


def steps(settings: Settings, day: date) -> dict[str, tuple]:
    """The steps of a business date in their order: function and arguments."""
    others = tuple(feed for feed in load_deployment(settings.deployment).feeds if feed != "transactions")
    return {
        LOAD: (pipeline.ingest, settings, "transactions", day, RUN),
        "ingest other feeds": (ingest_feeds, settings, others, day),
        "check": (pipeline.check_delivered, settings, day, CHANNELS, RUN),
        "link": (link_parties, settings, day),
        "build": (build, settings, day),
        "score": (pipeline.score, settings, day, RUN),
        "serve": (pipeline.serve, settings, day, RUN),
    }


def ingest_feeds(settings: Settings, feeds: tuple[str, ...], business_date: date) -> None:
    """Take the deliveries of several feeds at once, as the DAG's mapped tasks do."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda feed: pipeline.ingest(settings, feed, business_date, RUN), feeds))


def link_parties(settings: Settings, business_date: date) -> None:
    """The first part of the build, measured alone: the build that follows does not repeat it."""
    link(settings, lake.pin(settings.lake, business_date))


def build(settings: Settings, business_date: date) -> dict[str, float]:
    """Build marts and features; the seconds that dbt tells for the compared marts and for the tables below them."""
    seconds = _noting_seconds(lambda: pipeline.build(settings, business_date, RUN))
    if lacking := set(COMPARED_MARTS) - set(seconds):
        raise ValueError(f"dbt has no time for {', '.join(sorted(lacking))}")
    names = {node.split(".")[2] for node in needed_nodes(settings)}
    return {name: seconds[name] for name in sorted(names & seconds.keys())}


def needed_nodes(settings: Settings) -> list[str]:
    """Unique ids of the compared marts and of all that they are made from, each after what it reads."""
    parents = json.loads((target_path(settings) / "manifest.json").read_text())["parent_map"]
    ordered: dict[str, None] = {}

    def visit(node: str) -> None:
        if node not in ordered:
            for parent in parents[node]:
                visit(parent)
            ordered[node] = None

    for mart in COMPARED_MARTS:
        visit(f"model.bank.{mart}")
    return list(ordered)


def mart_figures(settings: Settings) -> dict[str, tuple]:
    """`MART_FIGURES` of the build engine."""
    return {name: tuple(warehouse.query(settings, sql).to_pylist()[0].values()) for name, sql in MART_FIGURES.items()}


def _noting_seconds(work: Callable[[], object]) -> dict[str, float]:
    """Do the work; the seconds of every node that dbt runs meanwhile, by its name."""
    seconds: dict[str, float] = {}
    run_dbt = warehouse.run_dbt

    def noting(*arguments: Any, **options: Any) -> tuple[warehouse.Node, ...]:
        nodes = run_dbt(*arguments, **options)
        seconds.update((node.name, node.seconds) for node in nodes)
        return nodes

    with patch.object(warehouse, "run_dbt", noting):
        work()
    return seconds
