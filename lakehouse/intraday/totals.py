"""The running totals of a business day in a DuckDB database in memory: events in, tables for readers out.

What a cycle needs to know of the bank (accounts, wallets, usual outflows) comes from the last daily publication. The
database holds nothing that is not in the lake or in the serving store: a loop that starts again reads it anew.
"""

from datetime import date

import duckdb
import yaml

from lakehouse import warehouse
from lakehouse.intraday.batches import parquet
from lakehouse.lake import IntradayFile
from lakehouse.settings import PROJECT, Settings
from lakehouse.sql import literal
from lakehouse.warehouse.live import LIVE

DBT_PROJECT = PROJECT / "dbt_project"
PUBLISHED = {
    "accounts": "select account_no, party_key, customer_key from marts.dim_account",
    "wallets": "select binding_id, account_no from marts.dim_wallet",
    "usual_outflows": "select * from marts.outflow_baselines "
    "where month_date = (select max(month_date) from marts.outflow_baselines)",
    "dates": "select date_day, is_holiday from marts.dim_date where date_day >= $1",
    "customers": "select customer_key, star_tier, home_branch_code from marts.customer_360",
    "policy": "select customer_key, rm_id from actions.contact_policy where is_allowed and not is_control",
}
KEYS = {"transactions": "txn_id", "wallet_payments": "payment_id"}


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Empty totals, and the rules by which the daily run classifies counterparties."""
    con.execute("create table seen (feed varchar, event_key varchar, business_date date)")
    con.execute(
        "create table flows (account_no varchar, business_date date, counterparty_class varchar, direction varchar, "
        "txn_count bigint, amount decimal(38,2), wallet_payment_count bigint, wallet_payment_amount decimal(38,2), "
        "changed bigint)"
    )
    rules = literal(str(DBT_PROJECT / "seeds" / "counterparty_classes.csv"))
    con.execute(f"create table rules as from read_csv({rules}, header = true, all_varchar = true)")
    con.execute("alter table rules alter rule_order type integer")
    con.execute("create table own_banks (counterparty_bank varchar)")
    variables = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text())["vars"]
    con.executemany("insert into own_banks values ($1)", [[bank] for bank in variables["own_banks"]])
    for table in LIVE:
        columns = ", ".join(f"{name} {type_}" for name, type_ in table.columns)
        con.execute(f"create table {table.name} ({columns}, changed bigint)")


def refresh(settings: Settings, con: duckdb.DuckDBPyConnection, watermark: date) -> None:
    """Read what a daily run has published; its dates leave the totals."""
    for name, select in PUBLISHED.items():
        rows = warehouse.query_serving(settings, select, [watermark] if "$1" in select else [])
        con.register("rows", rows)
        con.execute(f"create or replace table {name} as select * from rows")
        con.unregister("rows")
    con.execute("alter table accounts add column account_token varchar")
    con.execute("update accounts set account_token = token(account_no)")
    for table in ("seen", "flows", *(table.name for table in LIVE if table.is_dated)):
        con.execute(f"delete from {table} where business_date <= $1", [watermark])


def add(
    con: duckdb.DuckDBPyConnection, feed: str, files: list[IntradayFile], watermark: date, cycle: int
) -> tuple[int, int]:
    """Add the events of lake files to the totals: each once, and none of a date that the daily run has published.

    Returns
    -------
    tuple of int
        Events that are new, and events that came for a published date.
    """
    if not files:
        return 0, 0
    key = KEYS[feed]
    con.execute(
        f"create or replace temp table fresh as select * from {parquet(files)} as events "
        f"where business_date > $1 and not exists (select 1 from seen where feed = $2 and event_key = events.{key}) "
        f"qualify row_number() over (partition by {key}) = 1",
        [watermark, feed],
    )
    con.execute(f"insert into seen select $1, {key}, business_date from fresh", [feed])
    con.execute(f"insert into flows {POSTINGS if feed == 'transactions' else PAYMENTS}", [cycle])
    new, late = con.execute(
        f"select (select count(*) from fresh), (select count(*) from {parquet(files)} where business_date <= $1)",
        [watermark],
    ).fetchall()[0]
    return new, late


def total(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that readers see from the totals."""
    con.execute(
        "create or replace table flows as select account_no, business_date, counterparty_class, direction, "
        "cast(sum(txn_count) as bigint) as txn_count, cast(sum(amount) as decimal(38,2)) as amount, "
        "cast(sum(wallet_payment_count) as bigint) as wallet_payment_count, "
        "cast(sum(wallet_payment_amount) as decimal(38,2)) as wallet_payment_amount, max(changed) as changed "
        "from flows group by all"
    )
    for table, select in (
        ("fund_flow_intraday", FUND_FLOW),
        ("outflow_alerts_intraday", ALERTS),
        ("outflow_actions_intraday", ACTIONS),
    ):
        con.execute(f"create or replace table {table} as {select}")


# As fct_transactions: the first rule that fits names the class.
POSTINGS = """
    with scoped as (
        select
            fresh.account_no, fresh.business_date, fresh.direction, fresh.amount, fresh.txn_type, fresh.channel,
            coalesce(fresh.counterparty_bank, '') as counterparty_bank,
            case
                when others.party_key = accounts.party_key then 'own'
                when others.party_key is not null then 'in_bank'
                when fresh.counterparty_bank in (from own_banks) then 'in_bank'
                when fresh.counterparty_account_token is not null or fresh.counterparty_bank is not null then 'outside'
                else 'none'
            end as scope
        from fresh
        left join accounts on fresh.account_no = accounts.account_no
        left join accounts as others
            on fresh.counterparty_account_token = others.account_token
            and (fresh.counterparty_bank is null or fresh.counterparty_bank in (from own_banks))
    ),
    kinds as (
        select kinds.*, arg_min(rules.counterparty_class, rules.rule_order) as counterparty_class
        from (select distinct txn_type, channel, scope, counterparty_bank from scoped) as kinds
        left join rules
            on coalesce(rules.txn_type = kinds.txn_type, true)
            and coalesce(rules.channel = kinds.channel, true)
            and coalesce(rules.counterparty_scope = kinds.scope, true)
            and (
                rules.counterparty_bank_pattern is null
                or lower(kinds.counterparty_bank) like rules.counterparty_bank_pattern
            )
        group by all
    )
    select account_no, business_date, coalesce(counterparty_class, 'other'), direction,
        count(*), sum(amount), 0, 0, $1
    from scoped join kinds using (txn_type, channel, scope, counterparty_bank)
    group by all
"""
PAYMENTS = """
    select wallets.account_no, business_date,
        case when purpose = 'mmf' then 'money_market_fund' else 'wallet' end, 'D', 0, 0, count(*), sum(amount), $1
    from fresh join wallets on fresh.binding_id = wallets.binding_id
    group by all
"""
FUND_FLOW = """
    select accounts.customer_key, business_date, counterparty_class, direction,
        cast(sum(txn_count) as bigint) as txn_count, cast(sum(amount) as decimal(38,2)) as amount,
        cast(sum(wallet_payment_count) as bigint) as wallet_payment_count,
        cast(sum(wallet_payment_amount) as decimal(38,2)) as wallet_payment_amount, max(changed) as changed
    from flows join accounts on flows.account_no = accounts.account_no
    where accounts.customer_key is not null
    group by all
"""
# As outflow_alerts: a day is a pay day for three days after salary or pension came in.
ALERTS = """
    with paid as (
        select customer_key, max(business_date) as pay_date
        from fund_flow_intraday where counterparty_class in ('salary', 'pension') and direction = 'C' group by all
    ),
    outflows as (
        select customer_key, business_date, flow_kind, sum(amount) as amount, max(changed) as changed
        from fund_flow_intraday
        join (values
            ('leak', 'money_market_fund'), ('leak', 'wallet'), ('outflow', 'money_market_fund'), ('outflow', 'wallet'),
            ('outflow', 'other_bank'), ('outflow', 'unknown_transfer'), ('outflow', 'investment')
        ) as kinds(flow_kind, counterparty_class) using (counterparty_class)
        where direction = 'D' group by all
    ),
    seasoned as (
        select outflows.*,
            case
                when dates.is_holiday then 'holiday'
                when outflows.business_date - paid.pay_date between 0 and 3
                    or outflows.business_date - usual.last_pay_date between 0 and 3 then 'payday'
                else 'ordinary'
            end as season
        from outflows
        left join dates on outflows.business_date = dates.date_day
        left join paid on outflows.customer_key = paid.customer_key
        left join (select distinct customer_key, last_pay_date from usual_outflows) as usual
            on outflows.customer_key = usual.customer_key
    )
    select seasoned.customer_key, seasoned.business_date, seasoned.flow_kind, seasoned.season,
        cast(seasoned.amount as decimal(38,2)) as amount, usual.usual_amount,
        (ln(cast(seasoned.amount as double)) - usual.center) / usual.spread as robust_z,
        customers.star_tier, customers.home_branch_code as branch_code, seasoned.changed
    from seasoned
    join usual_outflows as usual using (customer_key, flow_kind, season)
    left join customers on seasoned.customer_key = customers.customer_key
    where seasoned.amount >= usual.alert_amount
"""
ACTIONS = """
    select alerts.customer_key, alerts.business_date, 'ask about the money that leaves' as action,
        case when bool_or(flow_kind = 'leak') then 'unusual outflow to wallets and money-market funds'
            else 'unusual outflow' end as reason,
        case when any_value(policy.rm_id) is not null then 'rm' else 'call_centre' end as channel,
        alerts.business_date + 7 as valid_until, max(alerts.changed) as changed
    from outflow_alerts_intraday as alerts
    join policy on alerts.customer_key = policy.customer_key
    group by alerts.customer_key, alerts.business_date
"""
