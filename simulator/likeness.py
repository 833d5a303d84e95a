"""How like life a simulated bank is: the figures that docs/SIMULATOR.md sets beside public facts.

Reads deliveries and truth with DuckDB, nothing of the pipeline: ``python -m simulator.likeness FOLDER``.
"""

import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from simulator.reference import holidays

Row = tuple[str, str, float]  # subject, figure, value

_TEXT = "delim = '|', all_varchar = true, header = true"
_TABLES = """
create table accounts as
    select account_no, customer_no, min(cast(opened_date as date)) as opened_date, max(product_code) as product_code,
           coalesce(max(cast(closed_date as date)), date '2999-01-01') as closed_date
    from read_csv('{landing}/accounts/*.dat', {text})
    group by account_no, customer_no;

create table changes as
    select account_no as position_no, cast(business_date as date) as day, cast(balance as double) as amount,
           customer_no, true as is_deposit
    from read_csv('{landing}/balances/*.dat', {text})
    join accounts using (account_no)
    union all
    select holding_id, cast(business_date as date), cast(market_value as double), customer_no, false
    from read_csv('{landing}/holdings/*.dat', {text});

create table positions as
    select *, lead(day, 1, date '2999-01-01') over (partition by position_no order by day) as next_day from changes;

create table postings as
    select customer_no, cast(business_date as date) as day, channel, txn_type, cast(amount as double) as amount,
           direction, counterparty_account
    from read_csv('{landing}/transactions/*.dat', {text})
    join accounts using (account_no)
    where txn_type <> 'brought_forward';

create table visits as
    select customer_no, service_type, served_at, cast(business_date as date) as day
    from read_csv('{landing}/branch_visits/*.dat', {text});

create table events as
    select 'C' || (cast(substr(user_id, 2) as bigint) - 400000000) as customer_no, cast(business_date as date) as day,
           cast(event_at as timestamp) as event_at, event_name, product_code
    from read_json(
        '{landing}/app_events/*.gz',
        columns = {{user_id: 'varchar', business_date: 'varchar', event_at: 'varchar', event_name: 'varchar',
                    product_code: 'varchar'}}
    );

create table loans as
    select loan_no, customer_no, max_by(status, business_date) as status
    from read_csv('{landing}/loans/*.dat', {text})
    group by all;

create table touches as
    select customer_no, campaign_id, product_code, arm, cast(business_date as date) as day
    from read_json(
        '{landing}/campaign_touches/*.gz',
        columns = {{customer_no: 'varchar', campaign_id: 'varchar', product_code: 'varchar', arm: 'varchar',
                    business_date: 'varchar'}}
    );

create table purchases as
    select customer_no, product_code, opened_date as day from accounts where product_code like 'FD%'
    union all
    select customer_no, product_code, min(cast(start_date as date))
    from read_csv('{landing}/holdings/*.dat', {text})
    group by customer_no, product_code, holding_id;

create table assignments as
    select distinct customer_no, cast(valid_from as date) as valid_from, cast(valid_to as date) as valid_to
    from read_csv('{landing}/rm_assignments/*.dat', {text}, filename = true)
    qualify filename = max(filename) over ();

create table rates as
    select distinct rate_code, cast(rate_date as date) as day, cast(rate as double) as rate
    from read_csv('{landing}/market_rates/*.dat', {text});

create table happenings as from read_parquet('{truth}/events.parquet');
create table persons as from read_parquet('{truth}/persons.parquet');
create table month_ends as
    select distinct as_of_date as day from read_parquet('{truth}/hazards.parquet')
    where as_of_date = last_day(as_of_date);
create table span as select min(day) as first_day, max(day) as last_day from postings;
create table calendar as
    select cast(day as date) as day, isodow(day) > 5 as is_weekend,
           coalesce(holiday_name <> '调休', false) as is_holiday,
           coalesce(is_workday, not is_weekend) and not is_holiday as is_working, holiday_name
    from (select unnest(generate_series(first_day, last_day, interval 1 day)) as day from span)
    left join holidays using (day);
"""

_ASSETS = """
    select customer_no, month_ends.day, coalesce(sum(amount), 0) as assets,
           coalesce(sum(amount) filter (where is_deposit), 0) as deposits
    from positions join month_ends on positions.day <= month_ends.day and next_day > month_ends.day
    group by all
"""

FIGURES: dict[str, str] = {
    "concentration": f"""
        with assets as ({_ASSETS}), ends as (
            select assets, row_number() over (order by assets desc) as place, count(*) over () as customers,
                   sum(assets) over () as total
            from (select distinct customer_no from accounts) left join assets using (customer_no)
            where day = (select max(day) from month_ends) or day is null
        )
        select 'largest customer, share of assets', max(assets / total) from ends
        union all
        select 'top 1 %, share of assets', sum(assets / total) filter (where place <= customers / 100) from ends
        union all
        select 'top 5 %, share of assets', sum(assets / total) filter (where place <= customers / 20) from ends
        union all
        select 'Gini of assets, customers with any', 1 - 2 * sum(assets / total * (place - 0.5)) / max(n) + 0
        from (select assets, total, place, count(*) over () as n from ends where assets > 0)
        union all
        select 'median assets', median(assets) from ends where assets > 0
        union all
        select 'mean assets', avg(assets) from ends where assets > 0
    """,
    "attrition": f"""
        with lives as (
            select customer_no, min(opened_date) as opened_date, max(closed_date) as closed_date
            from accounts group by customer_no
        ), quarters as (
            select day as last_day, date_trunc('month', day) - interval 2 month - interval 1 day as first_day,
                   row_number() over (order by day) as number
            from month_ends where month(day) in (3, 6, 9, 12)
        ), assets as ({_ASSETS}), money as (
            select assets.customer_no, assets.day,
                   later.deposits < 0.3 * assets.deposits and assets.deposits > 1000 and later.deposits > 0 as empties
            from assets join assets as later
                on assets.customer_no = later.customer_no and later.day = last_day(assets.day + interval 3 month)
        ), closings as (
            select number, 'closing in quarter ' || strftime(last_day, '%Y-%m') as figure,
                   count(*) filter (where closed_date <= last_day) / count(*) as share
            from quarters join lives on opened_date <= first_day and closed_date > first_day
            group by all
        )
        select figure, share from (select * from closings order by number)
        union all
        select 'emptied, not closed, in quarter ' || strftime(last_day(day + interval 3 month), '%Y-%m'),
               count(*) filter (where empties) / count(*)
        from money where last_day(day + interval 3 month) in (select last_day from quarters)
        group by all
    """,
    "products": """
        with held as (
            select customer_no, product_code from accounts, span where closed_date > last_day
            union
            select customer_no, 'investment' from positions, span
            where not is_deposit and day <= last_day and next_day > last_day and amount > 0
            union
            select customer_no, 'loan' from loans where status in ('running', 'in_arrears')
        )
        select 'products per customer', count(*) / count(distinct customer_no) from held
        union all
        select 'holds ' || product_code, count(*) / (select count(distinct customer_no) from held) from held
        group by product_code
    """,
    "activity": """
        with here as (
            select customer_no from accounts, span where closed_date > last_day group by customer_no
        )
        select 'moves money themselves in 30 days',
               count(distinct recent.customer_no) / count(distinct here.customer_no)
        from here left join (
            select customer_no from postings, span where channel <> 'batch' and day > last_day - 30
        ) as recent on here.customer_no = recent.customer_no
        union all
        select 'logs in within 30 days', count(distinct recent.customer_no) / count(distinct here.customer_no)
        from here left join (
            select customer_no from events, span where day > last_day - 30
        ) as recent on here.customer_no = recent.customer_no
    """,
    "channels": """
        with here as (
            select customer_no from accounts, span where closed_date > last_day group by customer_no
        ), used as (
            select here.customer_no,
                   bool_or(what = 'online') as online, bool_or(what = 'branch') as branch
            from here left join (
                select customer_no, 'online' as what from events, span where day > last_day - 180
                union all
                select customer_no, 'online' from postings, span
                where day > last_day - 180 and channel in ('mobile', 'web')
                union all
                select customer_no, 'branch' from visits, span where day > last_day - 180
                union all
                select customer_no, 'branch' from postings, span where day > last_day - 180 and channel = 'counter'
            ) as touches on here.customer_no = touches.customer_no
            group by here.customer_no
        )
        select 'branch only in 180 days', avg((coalesce(branch, false) and not coalesce(online, false))::int) from used
        union all select 'online only', avg((coalesce(online, false) and not coalesce(branch, false))::int) from used
        union all select 'both', avg((coalesce(online, false) and coalesce(branch, false))::int) from used
        union all select 'neither', avg((not coalesce(online, false) and not coalesce(branch, false))::int) from used
    """,
    "applications": """
        with starts as (
            select customer_no, product_code, day, min(event_at) as event_at from events
            where event_name = 'apply_start' group by all
        ), outcomes as (
            select starts.customer_no, starts.product_code, starts.day,
                   bool_or(events.customer_no is not null) as finished,
                   bool_or(visits.customer_no is not null) as at_branch
            from starts
            left join events on starts.customer_no = events.customer_no and events.event_name = 'apply_finish'
                and events.product_code is not distinct from starts.product_code
                and events.event_at >= starts.event_at and events.day <= starts.day + 14
            left join visits on starts.customer_no = visits.customer_no
                and cast(visits.served_at as timestamp) >= starts.event_at
                and visits.day <= starts.day + 14 and visits.service_type = case
                    when starts.product_code[:2] in ('SD', 'WM', 'WL', 'FU', 'PM', 'PP') then 'wealth'
                    when starts.product_code[:2] = 'LN' then 'loan' else 'account' end
            group by all
        )
        select 'begun, per customer and year', count(*) / (select count(distinct customer_no) from accounts)
               / (select (last_day - first_day) / 365 from span) from outcomes
        union all select 'finished online', avg((finished)::int) from outcomes
        union all select 'finished at the branch', avg((at_branch and not finished)::int) from outcomes
        union all select 'given up', avg((not finished and not at_branch)::int) from outcomes
    """,
    "leads": """
        with leads as (
            select persons.party_key, persons.person_id from persons where party_key like 'lead:%'
        ), opened as (
            select person_id, min(opened_date) as opened_date, count(*) as records
            from persons join accounts on persons.party_key = 'cif:' || accounts.customer_no group by person_id
        ), captured as (
            select 'lead:' || lead_id as party_key, cast(business_date as date) as day from lead_rows
        )
        select 'leads a month per 1,000 customers', count(*) * 1000 / (select count(distinct customer_no) from accounts)
               / (select count(*) from month_ends) from leads
        union all
        select 'known before', avg(coalesce(opened_date < day, false)::int) from captured
            join leads using (party_key) left join opened using (person_id)
        union all
        select 'of the others, opened an account after', avg(coalesce(opened_date >= day, false)::int)
        from captured join leads using (party_key) left join opened using (person_id)
        where opened_date is null or opened_date >= day
    """,
    "arrears": """
        select 'loans in arrears', avg((status = 'in_arrears')::int) from loans
        where status in ('running', 'in_arrears')
        union all
        select 'written off, of all loans', avg((status = 'written_off')::int) from loans
    """,
    "trouble": """
        with borrowers as (
            select customer_no from loans
        ), bad as (
            select customer_no, event_date from happenings where event = 'delinquency'
        ), hit as (
            select happenings.customer_no, event_date as day, max(event_date) over () as last_day
            from happenings join borrowers using (customer_no) where event in ('pay_stop', 'trouble')
        ), after as (
            select hit.customer_no, hit.day, bool_or(bad.customer_no is not null) as falls_behind
            from hit left join bad on hit.customer_no = bad.customer_no
                and bad.event_date between hit.day and hit.day + 120
            where hit.day <= last_day - 120 group by all
        )
        select 'arrears that follow stopped pay or a faltering business', avg((hit.customer_no is not null)::int)
        from bad left join (
            select distinct bad.customer_no, bad.event_date from bad join hit on bad.customer_no = hit.customer_no
                and hit.day between bad.event_date - 200 and bad.event_date
        ) as hit using (customer_no, event_date)
        union all
        select 'borrowers in arrears within 120 days after it', avg(falls_behind::int) from after
        union all
        select 'borrowers in arrears in any 120 days', (select count(*) from bad)
            / (select count(*) from borrowers) * 120 / (select last_day - first_day from span)
        union all
        select 'guarantors called, of all arrears', (
            select count(*) from happenings where event = 'guarantor_called'
        ) / (select count(*) from bad)
    """,
    "enterprises": """
        with books as (
            select customer_no, sum(postings.amount * case direction when 'D' then 1 else 0 end) as money_out,
                   sum(postings.amount * case direction when 'C' then 1 else 0 end) as money_in
            from postings join (select distinct customer_no from accounts where product_code = 'CA01')
                using (customer_no), span
            where day > last_day - 90
            group by customer_no
        ), payers as (
            select customer_no, max(amount) as main_amount, sum(amount) as amount from (
                select customer_no, counterparty_account, sum(amount) as amount from postings, span
                where day > last_day - 180 and direction = 'C' and counterparty_account is not null
                group by all
            ) group by customer_no
        ), cash as (
            select customer_no, sum(amount) as amount from positions, span
            where day <= last_day and next_day > last_day and is_deposit group by customer_no
        )
        select 'days of its outflow that an enterprise holds, median', median(cash.amount / money_out * 90)
        from books join cash using (customer_no) where money_out > 0
        union all
        select 'share of the main payer in what named payers send, median', median(main_amount / payers.amount)
        from books join payers using (customer_no)
        union all
        select 'named payers are one for at least 40 %', avg((main_amount >= 0.4 * payers.amount)::int)
        from books join payers using (customer_no)
    """,
    "sleep and death": """
        with here as (
            select customer_no, min(opened_date) as opened_date from accounts, span
            where closed_date > last_day group by customer_no
        ), ends as (
            select happenings.customer_no, event_date, max(closed_date) as closed_date
            from happenings join accounts using (customer_no) where event = 'death' group by all
        )
        select 'nothing moved by the customer in 180 days',
               count(*) filter (where moved.customer_no is null) / count(*)
        from here, span left join (
            select distinct customer_no from postings, span
            where channel <> 'batch' and day > last_day - 180 and txn_type <> 'fee'
        ) as moved on here.customer_no = moved.customer_no
        where opened_date <= last_day - 180
        union all
        select 'deaths a year, of all customers', count(*) / (select count(*) from here)
            / (select (last_day - first_day) / 365 from span) from ends
        union all
        select 'days from a death to the closing, median', median(closed_date - event_date)
        from ends where closed_date < date '2999-01-01'
    """,
    "yields": """
        with months as (
            select last_day(day) as day, avg(rate) filter (where rate_code = 'mmf_yield')
                   - max_by(rate, rates.day) filter (where rate_code = 'deposit_1y') as gap
            from rates group by all
        ), filled as (
            select day, gap from months where gap is not null
        ), drawn as (
            select last_day(day) as day, sum(amount) filter (where txn_type in ('mmf', 'wallet')) / sum(amount) as share
            from postings where direction = 'D' and txn_type in ('mmf', 'wallet', 'purchase', 'cash', 'utility')
            group by all
        ), ranked as (
            select share, ntile(3) over (order by gap) as third from filled join drawn using (day)
        )
        select 'wallets and funds in spending, when their yields appeal most over least',
               avg(share) filter (where third = 3) / avg(share) filter (where third = 1) from ranked
    """,
    "campaigns": """
        with sales as (
            select touches.*, bool_or(purchases.customer_no is not null) as buys
            from touches left join purchases on touches.customer_no = purchases.customer_no
                and touches.product_code = purchases.product_code
                and purchases.day between touches.day + 1 and last_day(touches.day)
            where touches.product_code is not null group by all
        ), calls as (
            select touches.*, bool_or(closed_date between touches.day and touches.day + 92) as leaves
            from touches join (
                select customer_no, max(closed_date) as closed_date from accounts group by customer_no
            ) as lives using (customer_no), span
            where touches.product_code is null and touches.day + 92 <= last_day group by all
        )
        select 'buys what is offered, ' || arm, avg(buys::int) from sales group by arm
        union all
        select 'leaves within 92 days of a retention call, ' || arm, avg(leaves::int) from calls group by arm
    """,
    "managers": """
        with lives as (
            select customer_no, max(closed_date) as closed_date from accounts group by customer_no
        ), gaps as (
            select customer_no, valid_to as day from assignments, span
            where valid_to between first_day and last_day - 100
        ), moments as (
            select assignments.customer_no, month_ends.day from assignments, month_ends, span
            where valid_from <= month_ends.day and coalesce(valid_to, last_day) > month_ends.day
                and month_ends.day <= last_day - 100
        )
        select 'closing within 100 days after the manager left',
               avg((closed_date between day and day + 100)::int) from gaps join lives using (customer_no)
        where closed_date > day
        union all
        select 'closing within 100 days, any customer with a manager',
               avg((closed_date between day and day + 100)::int) from moments join lives using (customer_no)
        where closed_date > day
    """,
    "seasonality": """
        with of_day as (
            select calendar.*, postings, cash, branch
            from calendar
            left join (
                select day, count(*) as postings, sum(amount) filter (where txn_type = 'cash') as cash from postings
                where channel <> 'batch' group by day
            ) using (day)
            left join (select day, count(*) as branch from visits group by day) using (day)
        ), festivals as (
            select distinct day from calendar where holiday_name = '春节'
        ), firsts as (
            select day from festivals where day - 1 not in (select day from festivals)
        )
        select 'postings on a weekend day over a working day',
               avg(postings) filter (where not is_working and not is_holiday)
               / avg(postings) filter (where is_working) from of_day
        union all
        select 'branch visits on a Saturday or Sunday over a working day',
               coalesce(sum(branch) filter (where is_weekend and not is_working and not is_holiday), 0)
               / count(*) filter (where is_weekend and not is_working and not is_holiday)
               / avg(branch) filter (where is_working) from of_day
        union all
        select 'branch visits in the first three days of Spring Festival', coalesce(sum(branch), 0) from of_day
        join firsts on of_day.day between firsts.day and firsts.day + 2
        union all
        select 'cash in the 20 days before Spring Festival over the usual', (
            select avg(coalesce(cash, 0)) from of_day
            join firsts on of_day.day between firsts.day - 20 and firsts.day - 1
        ) / avg(coalesce(cash, 0)) from of_day
        union all
        select 'salaries paid in the month before Spring Festival over the usual', (
            select sum(amount) / count(distinct firsts.day) from postings
            join firsts on postings.day between firsts.day - 30 and firsts.day - 1
            where txn_type = 'salary'
        ) / (select sum(amount) / (max(day) - min(day)) * 30 from postings where txn_type = 'salary')
    """,
}


def measure(folder: Path) -> list[Row]:
    """All figures of what ``generate`` wrote to ``folder``: (subject, figure, value); shares are between 0 and 1.

    What a short history cannot tell is left out.
    """
    con = duckdb.connect()
    con.execute("set threads = 2")
    days, names, is_workday = holidays()
    days_off = pa.table(  # noqa: F841 (DuckDB finds it by name)
        {
            "day": pa.array(days.astype(np.int32), pa.date32()),
            "holiday_name": pa.array(names.table).take(pa.array(names.codes)),
            "is_workday": is_workday,
        }
    )
    con.execute("create table holidays as from days_off")
    con.execute(_TABLES.format(landing=folder / "landing", truth=folder / "truth", text=_TEXT))
    lead_columns = "{lead_id: 'varchar', business_date: 'varchar'}"
    leads = f"read_json('{folder}/landing/social_leads/*.gz', columns = {lead_columns})"
    con.execute(f"create table lead_rows as from {leads}")
    told = [(subject, *row) for subject, sql in FIGURES.items() for row in con.execute(sql).fetchall()]
    return [row for row in told if row[-1] is not None]


def main() -> None:
    """Print the figures of the folder named on the command line."""
    last = ""
    for subject, figure, value in measure(Path(sys.argv[1])):
        if subject != last:
            print(subject)
            last = subject
        print(f"    {figure:62s} {value:12,.4f}")


if __name__ == "__main__":
    main()
