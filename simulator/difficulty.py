"""How hard the bank is to predict: the true hazards, and one-line rules, against what happened in the next 90 days.

Reads deliveries and truth with DuckDB, nothing of the pipeline: ``python -m simulator.difficulty FOLDER``.
"""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import duckdb
import numpy as np
import pyarrow as pa
from sklearn.metrics import roc_auc_score

from lakehouse.errors import Stop

TASKS = ("churn", "tier_upgrade", "tier_downgrade", "delinquency")
RULES = {
    "churn": ("days_since_txn", "aum_trend_down", "aum_below_average", "logins_fall", "complaint_90d", "few_logins"),
    "tier_upgrade": ("near_next_tier", "aum_trend_up", "aum_above_average", "logins_rise"),
    "tier_downgrade": ("near_lower_tier", "aum_trend_down", "aum_below_average", "logins_fall", "complaint_90d"),
    "delinquency": ("past_due_before", "past_due_now", "aum_trend_down", "aum_below_average", "days_since_txn"),
}
_FIRST_MONTH_END = 6  # so that 180 days of behaviour lie before

_TEXT = "delim = '|', all_varchar = true, header = true"
_TABLES = """
create table accounts as
    select account_no, customer_no, min(cast(opened_date as date)) as opened_date,
           coalesce(max(cast(closed_date as date)), date '2999-01-01') as closed_date
    from read_csv('{landing}/accounts/*.dat', {text})
    group by account_no, customer_no;

create table amounts as
    with changes as (
        select account_no as position_no, cast(business_date as date) as day, cast(balance as decimal(18, 2)) as amount,
               customer_no
        from read_csv('{landing}/balances/*.dat', {text})
        join accounts using (account_no)
        union all
        select holding_id, cast(business_date as date), cast(market_value as decimal(18, 2)), customer_no
        from read_csv('{landing}/holdings/*.dat', {text})
    )
    select customer_no, cast(amount as double) as amount, day as first_day,
           lead(day, 1, date '2999-01-01') over (partition by position_no order by day) as next_day
    from changes;

create table days as
    select customer_no, cast(business_date as date) as day, count(*) filter (where channel <> 'batch') as txn_count
    from read_csv('{landing}/transactions/*.dat', {text})
    join accounts using (account_no)
    group by all;

create table logins as
    select 'C' || (cast(substr(user_id, 2) as bigint) - 400000000) as customer_no, cast(business_date as date) as day
    from read_json(
        '{landing}/app_events/*.gz',
        columns = {{user_id: 'varchar', business_date: 'varchar', event_name: 'varchar'}}
    )
    where event_name = 'login';

create table complaints as
    select customer_no, cast(business_date as date) as day from complaint_rows;

create table loans as
    select loan_no, customer_no, status, cast(business_date as date) as day
    from read_csv('{landing}/loans/*.dat', {text});

create table repayments as
    select customer_no, cast(business_date as date) as day, cast(due_date as date) as due_date,
           cast(days_past_due as integer) as days_past_due, paid_date
    from read_csv('{landing}/loan_repayments/*.dat', {text})
    join (select distinct loan_no, customer_no from loans) using (loan_no);

create table truth as from read_parquet('{truth}/hazards.parquet');

create table tiers as
    select row_number() over (order by lower_amount) as tier, lower_amount,
           lead(lower_amount, 1, 1000000000) over (order by lower_amount) as upper_amount
    from (values (0), (10000), (50000), (200000), (500000), (2000000), (6000000)) as thresholds (lower_amount);
"""

_POPULATION = """
with dates as (
    select distinct as_of_date from truth
    where as_of_date >= $first and as_of_date + 90 <= $last and as_of_date = last_day(as_of_date)
),

assets as (
    select
        customer_no,
        as_of_date,
        sum(amount * greatest(least(next_day, as_of_date + 1) - greatest(first_day, as_of_date - 89), 0)) / 90
            as average_amount,
        sum(amount * greatest(least(next_day, as_of_date + 91) - greatest(first_day, as_of_date + 1), 0)) / 90
            as future_amount,
        coalesce(sum(amount) filter (where first_day <= as_of_date and next_day > as_of_date), 0) as amount,
        coalesce(sum(amount) filter (where first_day <= as_of_date - 90 and next_day > as_of_date - 90), 0)
            as earlier_amount
    from amounts
    join dates on first_day <= as_of_date + 90 and next_day > as_of_date - 90
    group by customer_no, as_of_date
),

open as (
    select
        customer_no,
        as_of_date,
        not bool_or(opened_date <= as_of_date + 90 and closed_date > as_of_date + 90) as has_left
    from accounts
    join dates on true
    group by customer_no, as_of_date
    having bool_or(opened_date <= as_of_date and closed_date > as_of_date)
),

activity as (
    select customer_no, as_of_date, as_of_date - max(day) filter (where txn_count > 0) as days_since_txn
    from days
    join dates on day between as_of_date - 180 and as_of_date
    group by customer_no, as_of_date
),

online as (
    select customer_no, as_of_date, count(*) as logins_90d, count(*) filter (where day > as_of_date - 30) as logins_30d
    from logins
    join dates on day between as_of_date - 89 and as_of_date
    group by customer_no, as_of_date
),

unhappy as (
    select distinct customer_no, as_of_date, 1 as complaint_90d
    from complaints
    join dates on day between as_of_date - 89 and as_of_date
),

borrowers as (
    select customer_no, as_of_date, max_by(status, day) = 'running' as is_running
    from loans
    join dates on day <= as_of_date
    group by customer_no, as_of_date
),

arrears as (
    select
        customer_no,
        as_of_date,
        bool_or(day > as_of_date and days_past_due >= 30) as falls_behind,
        max(days_past_due) filter (where day <= as_of_date) as past_due_before
    from repayments
    join dates on day <= as_of_date + 90
    group by customer_no, as_of_date
),

current_dues as (
    select customer_no, as_of_date, as_of_date - min(due_date) as past_due_now
    from (
        select customer_no, as_of_date, due_date
        from repayments
        join dates on day <= as_of_date
        group by customer_no, as_of_date, due_date
        having count(paid_date) = 0
    )
    group by customer_no, as_of_date
)

select
    truth.customer_no,
    as_of_date,
    truth.churn as churn_hazard,
    truth.tier_upgrade as tier_upgrade_hazard,
    truth.tier_downgrade as tier_downgrade_hazard,
    truth.delinquency as delinquency_hazard,
    has_left::integer as churn,
    (after.tier > before.tier and not has_left)::integer as tier_upgrade,
    (after.tier < before.tier and not has_left)::integer as tier_downgrade,
    case when is_running then coalesce(falls_behind, false)::integer end as delinquency,
    coalesce(days_since_txn, 180) as days_since_txn,
    amount - earlier_amount as aum_trend_up,
    -aum_trend_up as aum_trend_down,
    amount / greatest(average_amount, 1) as aum_above_average,
    -aum_above_average as aum_below_average,
    coalesce(logins_30d / greatest(logins_90d, 1), 0.33) as logins_rise,
    -logins_rise as logins_fall,
    -coalesce(logins_90d, 0) as few_logins,
    coalesce(complaint_90d, 0) as complaint_90d,
    -(before.upper_amount - average_amount) / before.upper_amount as near_next_tier,
    -(average_amount - before.lower_amount) / greatest(average_amount, 1) as near_lower_tier,
    coalesce(past_due_before, 0) as past_due_before,
    coalesce(past_due_now, 0) as past_due_now
from open
join truth using (customer_no, as_of_date)
join assets using (customer_no, as_of_date)
left join activity using (customer_no, as_of_date)
left join online using (customer_no, as_of_date)
left join unhappy using (customer_no, as_of_date)
left join borrowers using (customer_no, as_of_date)
left join arrears using (customer_no, as_of_date)
left join current_dues using (customer_no, as_of_date)
join tiers as before on average_amount >= before.lower_amount and average_amount < before.upper_amount
join tiers as after on future_amount >= after.lower_amount and future_amount < after.upper_amount
"""


@dataclass(frozen=True)
class Figure:
    """How well one score ranks one task's outcomes."""

    task: str
    score: str  # "hazard", or a rule
    auc: float
    rows: int
    base_rate: float
    mean_hazard: float


def measure(folder: Path) -> list[Figure]:
    """AUC of the true hazards and of every rule, over all month-ends with 180 days before and 90 after.

    Parameters
    ----------
    folder
        What ``generate`` wrote.

    Raises
    ------
    Stop
        If the history is too short to have such a month-end.
    """
    rows = population(folder)
    figures = []
    for task in TASKS:
        outcome = np.ma.filled(rows[task].astype(float), np.nan)
        known = ~np.isnan(outcome)
        if not 0 < np.nansum(outcome) < known.sum():
            raise Stop(f"{folder}: nothing to rank for {task}: simulate at least ten months, and more customers")
        hazard = np.ma.filled(rows[f"{task}_hazard"].astype(float), 0)[known]
        for score in ("hazard", *RULES[task]):
            values = hazard if score == "hazard" else np.asarray(rows[score], float)[known]
            area = float(roc_auc_score(outcome[known], values))
            figures.append(
                Figure(task, score, area, int(known.sum()), float(outcome[known].mean()), float(hazard.mean()))
            )
    return figures


def population(folder: Path) -> dict[str, np.ndarray]:
    """Outcomes, hazards and rules of every customer with an open account, by month-end."""
    con = duckdb.connect()
    con.execute("set threads = 2")
    complaint_rows = _complaints(folder)  # noqa: F841 (DuckDB finds it by name)
    con.execute(_TABLES.format(landing=folder / "landing", truth=folder / "truth", text=_TEXT))
    bounds = "select last_day(min(as_of_date) + to_months($1)), max(as_of_date) from truth"
    first, last = con.execute(bounds, [_FIRST_MONTH_END - 1]).fetchall()[0]
    columns = con.execute(_POPULATION, {"first": first, "last": last}).fetchnumpy()
    return cast("dict[str, np.ndarray]", columns)  # no column is an enum


def _complaints(folder: Path) -> pa.Table:
    """Customer and day of the complaints, read here: DuckDB reads no GB18030."""
    rows = []
    for path in sorted((folder / "landing" / "complaints").glob("*.dat")):
        with path.open(encoding="gb18030", newline="") as file:
            rows += [(row["customer_no"], row["business_date"]) for row in csv.DictReader(file, delimiter="|")]
    columns = list(zip(*rows, strict=True)) or [(), ()]
    return pa.table(
        {"customer_no": pa.array(columns[0], pa.string()), "business_date": pa.array(columns[1], pa.string())}
    )


def main() -> None:
    """Print the table for the folder named on the command line."""
    for figure in measure(Path(sys.argv[1])):
        if figure.score == "hazard":
            rates = f"base rate {figure.base_rate:.3f}, mean hazard {figure.mean_hazard:.3f}"
            print(f"{figure.task}: {figure.rows:,} rows, {rates}")
        print(f"    {figure.score:20s} AUC {figure.auc:.3f}")


if __name__ == "__main__":
    main()
