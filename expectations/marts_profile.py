"""The frames of the gate marts -> readers: columns and totals of the build engine, beside the last published ones."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from lakehouse import lake, warehouse
from lakehouse.settings import Settings

ALERTS = ("drifted_features", "missing_features", "drifted_score", "outcome_against_promise", "unfair_groups")
SCORED = """
    select task, horizon_days, count(*) as row_count, count(distinct customer_key) as customer_count
    from raw.scores
    where as_of_date = $1
    group by task, horizon_days
"""
ALERTED = """
    select
        task,
        case
            when measure = 'missing_rise' then 'missing_features'
            when measure in ('selection_gap', 'found_gap', 'calibration_gap_of_groups') then 'unfair_groups'
            when measure <> 'stability_index' then 'outcome_against_promise'
            when feature = '(score)' then 'drifted_score'
            else 'drifted_features'
        end as kind,
        feature,
        measure,
        value
    from build_ops.model_monitoring
    where as_of_date = $1 and is_alert
    order by value desc, feature
"""
NEWEST = {
    "customer_360": "select max(as_of_date) from build_marts.customer_360",
    "fct_transactions": "select max(business_date) from build_marts.fct_transactions",
    "fct_balances_daily": "select max(business_date) from build_marts.fct_balances_daily",
    "customer_features": "select max(as_of_date) from build_features.customer_features",
}
FACTS = "select count(*) from build_marts.fct_transactions"
REPEATED = """
    select count(*)
    from build_intermediate.int_ops__repeated_events
    where feed = 'transactions' and valid_to is null
"""
BREAKS = """
    select
        coalesce(min(account_no_token || ' on ' || business_date) filter (where explanation is null), 'none')
            as example,
        count(*) filter (where explanation is null) as unexplained_breaks,
        count(explanation) as explained_breaks
    from build_marts.balance_breaks
"""
TOLD_APART = """
    select security_level, columns_known, least_group_size, below_least_share, unique_share
    from build_ops.reidentification
    where security_level <> 'important'
"""
TOTALS = "select count(*) as customers, cast(sum(aum_amount) as double precision) as aum_amount from {}.customer_360"


@dataclass(frozen=True)
class ExpectedScore:
    """What a score must have for one business date."""

    score: str
    horizon_days: int  # the first of several
    is_abstained: bool
    row_count: int  # customers in the score's population; 0 if it abstains


def frames(settings: Settings, business_date: date, scores: Iterable[ExpectedScore]) -> dict[str, pa.Table]:
    """Suite name -> frame.

    ``marts_customers``: one row per customer, the columns under audit only. ``marts_scores``: one row per score.
    ``marts_dates``: one row per table. ``marts_privacy``: one row per security level of those who do not serve the
    person. ``marts_postings``, ``marts_balance_breaks``: one row. ``marts_totals``: one row
    per total that readers watch.
    """
    return {
        "marts_customers": _customers(settings),
        "marts_scores": _scores(settings, business_date, scores),
        "marts_dates": _dates(settings, business_date),
        "marts_postings": _postings(settings, business_date),
        "marts_balance_breaks": _balance_breaks(settings),
        "marts_totals": _totals(settings),
        "marts_privacy": warehouse.query(settings, TOLD_APART),
    }


def queries(customer_columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Suite name -> the queries of the build engine that its frame is made of.

    Parameters
    ----------
    customer_columns : iterable of str
        Those of ``customer_360``.
    """
    return {
        "marts_customers": (_customers_sql(customer_columns),),
        "marts_scores": (SCORED, ALERTED),
        "marts_dates": tuple(NEWEST.values()),
        "marts_postings": (FACTS, REPEATED),
        "marts_balance_breaks": (BREAKS,),
        "marts_totals": (TOTALS.format("build_marts"),),
        "marts_privacy": (TOLD_APART,),
    }


def _customers(settings: Settings) -> pa.Table:
    columns = warehouse.query(settings, "select * from build_marts.customer_360 limit 0").column_names
    return warehouse.query(settings, _customers_sql(columns))


def _customers_sql(columns: Iterable[str]) -> str:
    probabilities = ", ".join(name for name in columns if name.endswith("_probability"))
    return f"""
        select
            customer_key,
            star_tier,
            cast(aum_amount as double precision) as aum_amount,
            least({probabilities}) as lowest_probability,
            greatest({probabilities}) as highest_probability
        from build_marts.customer_360
    """


def _scores(settings: Settings, business_date: date, scores: Iterable[ExpectedScore]) -> pa.Table:
    """Counts that show whether every customer of a score's population is scored; and the alerts of its monitoring."""
    counted = warehouse.query(settings, SCORED, (business_date,)).to_pylist()
    scored = {(line["task"], line["horizon_days"]): (line["row_count"], line["customer_count"]) for line in counted}
    alerts = _alerts(settings, business_date)
    rows = []
    for expected in scores:
        scored_rows, scored_customers = scored.get((expected.score, expected.horizon_days), (0, 0))
        rows.append(
            {
                "score": expected.score,
                "is_abstained": expected.is_abstained,
                "expected_rows": expected.row_count,
                "scored_rows": scored_rows,
                "scored_customers": scored_customers,
                **{kind: ", ".join(alerts[expected.score, kind]) or None for kind in ALERTS},
            }
        )
    return pa.Table.from_pylist(rows)


def _alerts(settings: Settings, business_date: date) -> defaultdict[tuple[str, str], list[str]]:
    """The monitoring figures of the date that are beyond their limits, by task and kind, the worst first."""
    alerts = warehouse.query(settings, ALERTED, (business_date,)).to_pylist()
    texts: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for line in alerts:
        texts[line["task"], line["kind"]].append(f"{line['feature']} {line['measure']} {line['value']:.2f}")
    return texts


def _dates(settings: Settings, business_date: date) -> pa.Table:
    rows = []
    for table, sql in NEWEST.items():
        newest_date = _value(settings, sql)
        rows.append(
            {
                "table": table,
                "is_daily": table in ("customer_360", "customer_features"),
                "newest_date": str(newest_date),
                "days_after_business_date": None if newest_date is None else (newest_date - business_date).days,
            }
        )
    return pa.Table.from_pylist(rows)


def _postings(settings: Settings, business_date: date) -> pa.Table:
    """Counts over all of history, from the outcome records; the dbt test on postings sees only the dates of a run."""
    current = [
        item.outcome.rows_loaded
        for item in lake.pin(settings.lake, business_date).of("transactions")
        if item.superseded_date is None
    ]
    facts, repeated = _value(settings, FACTS), _value(settings, REPEATED)
    row = {"feed": "transactions", "rows_loaded": sum(current), "rows_in_facts": facts, "rows_repeated": repeated}
    return pa.Table.from_pylist([row | {"rows_accounted": facts + repeated}])


def _balance_breaks(settings: Settings) -> pa.Table:
    return warehouse.query(settings, BREAKS)


def _totals(settings: Settings) -> pa.Table:
    today = warehouse.query(settings, TOTALS.format("build_marts")).to_pylist()[0]
    published: dict[str, Any] = dict.fromkeys(today)
    if warehouse.published_date(settings):
        published = warehouse.query_serving(settings, TOTALS.format("marts")).to_pylist()[0]
    return pa.Table.from_pylist(
        [
            {
                "total": name,
                "today": float(value or 0),
                "published": published[name],
                "change_rate": (value or 0) / published[name] - 1 if published[name] else None,
            }
            for name, value in today.items()
        ]
    )


def _value(settings: Settings, sql: str, *parameters: object) -> Any:
    """The one value that a query returns."""
    return warehouse.query(settings, sql, parameters).column(0)[0].as_py()
