"""The running totals of a business day in a DuckDB database in memory: events in, tables for readers out.

What a cycle needs to know of the bank (accounts, wallets, usual outflows) comes from the last daily publication. The
database holds nothing that is not in the lake or in the serving store: a loop that starts again reads it anew.
"""

from datetime import date

import duckdb

from lakehouse import warehouse
from lakehouse.intraday.batches import parquet
from lakehouse.lake import IntradayFile
from lakehouse.settings import Settings
from lakehouse.warehouse.live import LIVE

PUBLISHED = {
    "accounts": "select account_no_token, party_key, customer_key from marts.dim_account",
    "wallets": "select binding_id, account_no_token from marts.dim_wallet",
    "dates": "select date_day, is_holiday from marts.dim_date where date_day >= $1",
    # the rules of the daily run: who is on the other side, and which outflow is large or unusual
    "rules": "select * from marts.counterparty_rules",
    "own_banks": "select * from marts.own_banks",
    "wallet_classes": "select * from marts.wallet_classes",
    "kinds": "select * from marts.flow_kinds",
    "limits": "select * from marts.outflow_limits",
    "usual_outflows": "select * from marts.outflow_baselines",
    "customers": "select * from marts.outflow_watch",
    "payees": "select payer_key, payee_key from marts.fund_chain_edges where payee_type = 'outside'",
    "policy": "select * from actions.contact_policy",
    "words": "select * from actions.action_words where action = 'ask_about_outflow'",
}
KEYS = {"transactions": "txn_id", "wallet_payments": "payment_id"}


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Empty totals."""
    con.execute("create table seen (feed varchar, event_key varchar, business_date date)")
    con.execute(
        "create table flows (account_no_token varchar, business_date date, counterparty_class varchar, "
        "direction varchar, txn_count bigint, amount decimal(38,2), wallet_payment_count bigint, "
        "wallet_payment_amount decimal(38,2), changed bigint)"
    )
    con.execute(
        "create table payments (account_no_token varchar, business_date date, counterparty_class varchar, "
        "direction varchar, payee_key varchar, amount decimal(38,2), changed bigint)"
    )
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
    for table in ("seen", "flows", "payments", *(table.name for table in LIVE if table.is_dated)):
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
    if feed == "transactions":
        con.execute(f"create or replace temp table classified as {CLASSIFIED}")
        con.execute(f"insert into flows {POSTINGS}", [cycle])
        con.execute(f"insert into payments {PAYEES}", [cycle])
    else:
        con.execute(f"insert into flows {WALLET_PAYMENTS}", [cycle])
    new, late = con.execute(
        f"select (select count(*) from fresh), (select count(*) from {parquet(files)} where business_date <= $1)",
        [watermark],
    ).fetchall()[0]
    return new, late


def total(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that readers see from the totals."""
    con.execute(
        "create or replace table flows as select account_no_token, business_date, counterparty_class, direction, "
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
CLASSIFIED = """
    with scoped as (
        select
            fresh.account_no_token, fresh.business_date, fresh.direction, fresh.amount, fresh.txn_type, fresh.channel,
            coalesce(fresh.counterparty_bank, '') as counterparty_bank,
            case when others.party_key is null then 'outside:' || fresh.counterparty_account_token end as payee_key,
            case
                when others.party_key = accounts.party_key then 'own'
                when others.party_key is not null then 'in_bank'
                when fresh.counterparty_bank in (from own_banks) then 'in_bank'
                when fresh.counterparty_account_token is not null or fresh.counterparty_bank is not null then 'outside'
                else 'none'
            end as scope
        from fresh
        left join accounts on fresh.account_no_token = accounts.account_no_token
        left join accounts as others
            on fresh.counterparty_account_token = others.account_no_token
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
    select account_no_token, business_date, coalesce(counterparty_class, 'other') as counterparty_class, direction,
        payee_key, amount
    from scoped join kinds using (txn_type, channel, scope, counterparty_bank)
"""
POSTINGS = """
    select account_no_token, business_date, counterparty_class, direction, count(*), sum(amount), 0, 0, $1
    from classified
    group by all
"""
PAYEES = """
    select account_no_token, business_date, counterparty_class, direction, payee_key, sum(amount), $1
    from classified
    where direction = 'D' and payee_key is not null
    group by all
"""
WALLET_PAYMENTS = """
    select wallets.account_no_token, business_date,
        coalesce(wallet_classes.counterparty_class, 'wallet'), 'D', 0, 0, count(*), sum(amount), $1
    from fresh
    join wallets on fresh.binding_id = wallets.binding_id
    left join wallet_classes on fresh.purpose = wallet_classes.purpose
    group by all
"""
FUND_FLOW = """
    select accounts.customer_key, business_date, counterparty_class, direction,
        cast(sum(txn_count) as bigint) as txn_count, cast(sum(amount) as decimal(38,2)) as amount,
        cast(sum(wallet_payment_count) as bigint) as wallet_payment_count,
        cast(sum(wallet_payment_amount) as decimal(38,2)) as wallet_payment_amount, max(changed) as changed
    from flows join accounts on flows.account_no_token = accounts.account_no_token
    where accounts.customer_key is not null
    group by all
"""
# As outflow_alerts. Of pay and of what the bank lent, published days and those of the loop count together.
ALERTS = """
    with flows as (
        select customer_key, business_date, flow_kind, sum(amount) as amount, max(changed) as changed
        from fund_flow_intraday join kinds using (counterparty_class, direction)
        where txn_count > 0
        group by all
        having sum(amount) > 0
    ),
    paid_out as (
        select accounts.customer_key, payee_key, counterparty_class, business_date, sum(amount) as amount
        from payments join accounts using (account_no_token)
        group by all
    ),
    firsts as (
        select *, min(business_date) over (partition by customer_key, payee_key) as first_date from paid_out
    ),
    new_payees as (
        select customer_key, business_date, flow_kind, max(amount) as amount
        from (
            select customer_key, business_date, flow_kind, payee_key, sum(amount) as amount
            from firsts join kinds on firsts.counterparty_class = kinds.counterparty_class and kinds.direction = 'D'
            where business_date = first_date
                and not exists (
                    from payees where payer_key = firsts.customer_key and payees.payee_key = firsts.payee_key
                )
            group by all
        )
        group by all
    ),
    dated as (
        select outflows.*, customers.asset_amount, customers.star_tier, customers.branch_code, limits.*
                exclude (flow_kind, star_tier, payee_amount), limits.payee_amount as payee_limit_amount,
            customers.lent_amount + coalesce((
                select sum(lent.amount) from flows as lent
                where lent.customer_key = outflows.customer_key and lent.flow_kind = 'lent'
                    and outflows.business_date - lent.business_date between 0 and limits.lent_days
            ), 0) as lent_amount,
            coalesce(outflows.business_date - customers.last_pay_date between 0 and limits.pay_days, false) or exists (
                from flows as paid
                where paid.customer_key = outflows.customer_key and paid.flow_kind = 'pay'
                    and outflows.business_date - paid.business_date between 0 and limits.pay_days
            ) as is_pay_day
        from flows as outflows
        join customers using (customer_key)
        join limits on limits.flow_kind = outflows.flow_kind and limits.star_tier = customers.star_tier
        where outflows.flow_kind in ('leak', 'outflow')
    ),
    seasoned as (
        select dated.*,
            case when dates.is_holiday then 'holiday' when is_pay_day then 'payday' else 'ordinary' end as season,
            (
                select max(month_date) from usual_outflows where month_date <= dated.business_date
            ) as month_date
        from dated left join dates on dated.business_date = dates.date_day
    ),
    judged as (
        select seasoned.*, new_payees.amount as payee_amount, usual.usual_amount,
            (ln(cast(seasoned.amount as double)) - usual.center) / usual.spread as robust_z,
            coalesce(cast(seasoned.amount as double) >= usual.alert_amount, false) as is_unusual,
            coalesce(
                seasoned.amount >= share_minimum_amount and seasoned.amount >= share_rate * asset_amount, false
            ) as is_large_share,
            coalesce(seasoned.amount >= sum_amount, false) as is_large_sum,
            coalesce(
                new_payees.amount >= payee_limit_amount and new_payees.amount >= payee_rate * asset_amount, false
            ) as is_new_payee,
            coalesce(seasoned.amount - lent_amount >= sum_amount, false) or coalesce(
                seasoned.amount - lent_amount >= share_minimum_amount
                and seasoned.amount - lent_amount >= share_rate * asset_amount, false
            ) as is_serious
        from seasoned
        left join usual_outflows as usual using (customer_key, flow_kind, season, month_date)
        left join new_payees using (customer_key, business_date, flow_kind)
    )
    select customer_key, business_date, flow_kind, season, cast(amount as decimal(38,2)) as amount,
        cast(lent_amount as decimal(38,2)) as lent_amount, asset_amount as assets_before_amount,
        cast(amount as double) / nullif(cast(case when asset_amount > 0 then asset_amount end as double), 0)
            as asset_share,
        cast(payee_amount as decimal(38,2)) as payee_amount, usual_amount, robust_z, is_unusual, is_large_share,
        is_large_sum, is_new_payee, is_serious, star_tier, branch_code, changed
    from judged
    where is_unusual or is_large_share or is_large_sum or is_new_payee
"""
# As outflow_actions.
ACTIONS = """
    with alerts as (
        select *, bool_or(is_serious) over (partition by customer_key, business_date) as is_serious_day,
            max(changed) over (partition by customer_key, business_date) as day_changed
        from outflow_alerts_intraday
        qualify row_number() over (
            partition by customer_key, business_date order by amount desc, flow_kind
        ) = 1
    ),
    judged as (
        select alerts.*, policy.is_control and not is_serious_day as is_control,
            case
                when service_block_reason is not null then service_block_reason
                when last_service_date >= alerts.business_date then 'spoken with since'
                when lent_amount > 0 and not is_serious_day then 'lent money'
                when not is_serious_day then policy.block_reason
            end as block_reason,
            policy.talk_channel, policy.owner, policy.rm_id, policy.branch_code as policy_branch_code, currency
        from alerts
        join policy on alerts.customer_key = policy.customer_key
        join (select customer_key, currency from customers) as currencies
            on alerts.customer_key = currencies.customer_key
    )
    select customer_key, business_date, words.action_en, words.action_zh,
        currency || format(' {:,}', cast(round(amount) as bigint))
        || case flow_kind when 'leak' then ' went to wallets and money-market funds on ' else ' left on ' end
        || business_date
        || coalesce(format(', {:,} % of the assets of the day before', cast(round(100 * asset_share) as bigint)), '')
        || case when is_unusual
            then '; such a day usually takes ' || currency || format(' {:,}', cast(round(usual_amount) as bigint))
            else '' end
        || case when is_new_payee
            then '; ' || currency || format(' {:,}', cast(round(payee_amount) as bigint))
                || ' to an account never paid before'
            else '' end
        || case when lent_amount > 0
            then '; the bank had lent ' || currency || format(' {:,}', cast(round(lent_amount) as bigint))
                || ' shortly before'
            else '' end as reason_en,
        business_date || case flow_kind when 'leak' then ' 向钱包和货币基金转出 ' else ' 转出 ' end
        || format('{:,} ', cast(round(amount) as bigint)) || currency
        || coalesce(format('，占前一日资产的 {:,}%', cast(round(100 * asset_share) as bigint)), '')
        || case when is_unusual
            then format('；此类日期通常为 {:,} ', cast(round(usual_amount) as bigint)) || currency else '' end
        || case when is_new_payee
            then format('；其中 {:,} ', cast(round(payee_amount) as bigint)) || currency || ' 转给首次收款账户'
            else '' end
        || case when lent_amount > 0
            then format('；此前不久本行发放贷款 {:,} ', cast(round(lent_amount) as bigint)) || currency
            else '' end as reason_zh,
        amount, asset_share, is_serious_day as is_serious, talk_channel as channel, owner, rm_id,
        policy_branch_code as branch_code, business_date + 7 as valid_until, block_reason is null as is_allowed,
        block_reason, is_control, block_reason is null and not is_control as is_handed_out, day_changed as changed
    from judged left join words on judged.talk_channel = words.channel
"""
