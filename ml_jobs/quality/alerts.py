"""Quality of the outflow alerts: precision and recall against the large outflows that the simulator has planted.

The alerts are those that readers see, of the last 28 days. An alert is right if its customer has a planted outflow that
wants one (``should_alert``) on its day or the day before; a planted outflow is found by an alert on its day or the day
after, and counts if the customer was known on the day before it.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TypedDict

import duckdb
from rich.table import Table

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.language import ENGLISH, Voice
from lakehouse.settings import Settings
from ml_jobs.learning.calibration import wilson

DAYS = 28  # that marts.outflow_alerts covers
PLANTED = "planted_outflows.parquet"
RULES = ("is_unusual", "is_large_share", "is_large_sum", "is_new_payee", "is_serious")


class Share(TypedDict):
    """A share with its 95 % interval (Wilson); value and interval are None where there is nothing to share."""

    part: int
    whole: int
    value: float | None
    low: float | None
    high: float | None


class RuleQuality(TypedDict):
    """The alerts that one rule raised: how many of them are right, and how many planted outflows they find."""

    precision: Share
    recall: Share


class AlertQuality(TypedDict):
    """Alerts per customer and day against the truth; ``all`` are the alerts of any rule."""

    first_date: date
    last_date: date
    planted: int  # that want an alert
    rules: dict[str, RuleQuality]


def evaluate(settings: Settings, truth: Path) -> AlertQuality:
    """Hold the published alerts against ``truth/planted_outflows.parquet``.

    Raises
    ------
    Stop
        If nothing is published, or the truth has no planted outflows.
    """
    path = truth / PLANTED
    if not path.exists():
        raise Stop(f"{path} is not there", "name the truth/ folder that c360 simulate wrote beside the landing folder")
    last = warehouse.last_published(settings)
    first = last - timedelta(days=DAYS - 1)
    with duckdb.connect() as con:
        for name, statement in (
            ("alerts", f"select customer_key, business_date, {', '.join(RULES)} from marts.outflow_alerts"),
            ("parties", "select party_key, customer_key, first_known_date from marts.dim_party"),
        ):
            con.register("rows", warehouse.query_serving(settings, statement))
            con.execute(f"create table {name} as from rows")
            con.unregister("rows")
        con.execute(
            "create table planted as select distinct parties.customer_key, truth.outflow_date "
            "from read_parquet($1) as truth join parties using (party_key) "
            "where truth.should_alert and truth.outflow_date between $2 and $3 "
            "and parties.first_known_date < truth.outflow_date",
            [str(path), first, last],
        )
        rules = {"all": _quality(con, "true"), **{rule.removeprefix("is_"): _quality(con, rule) for rule in RULES}}
        (planted,) = con.execute("select count(*) from planted").fetchall()[0]
    return {"first_date": first, "last_date": last, "planted": planted, "rules": rules}


def tables(quality: AlertQuality, say: Voice = ENGLISH) -> Iterator[Table | str]:
    """The figures for a person."""
    yield say(
        "alerts {first} to {last}: {count} planted outflows want an alert",
        first=quality["first_date"],
        last=quality["last_date"],
        count=f"{quality['planted']:,}",
    )
    table = Table(title=say("Alerts per customer and day: share, and 95 % interval"), title_justify="left")
    for name in ("rule", "alerts", "right", "precision", "found", "recall"):
        table.add_column(name, justify="left" if name == "rule" else "right")
    for rule, figures in quality["rules"].items():
        precision, recall = figures["precision"], figures["recall"]
        table.add_row(
            say.code(rule),
            f"{precision['whole']:,}",
            f"{precision['part']:,}",
            _shown(precision),
            f"{recall['part']:,}",
            _shown(recall),
        )
    yield table


def _quality(con: duckdb.DuckDBPyConnection, condition: str) -> RuleQuality:
    raised = f"(select distinct customer_key, business_date from alerts where {condition})"
    match = "alerts.customer_key = planted.customer_key and business_date - outflow_date in (0, 1)"
    right, whole = con.execute(
        f"select count(*) filter (exists (from planted where {match})), count(*) from {raised} as alerts"
    ).fetchall()[0]
    found, planted = con.execute(
        f"select count(*) filter (exists (from {raised} as alerts where {match})), count(*) from planted"
    ).fetchall()[0]
    return {"precision": _share(right, whole), "recall": _share(found, planted)}


def _share(part: int, whole: int) -> Share:
    if not whole:
        return {"part": part, "whole": whole, "value": None, "low": None, "high": None}
    low, high = wilson(part / whole, whole)
    return {"part": part, "whole": whole, "value": part / whole, "low": max(0.0, low), "high": min(1.0, high)}


def _shown(share: Share) -> str:
    if share["value"] is None:
        return "-"
    return f"{share['value']:.2f} ({share['low']:.2f}-{share['high']:.2f})"
