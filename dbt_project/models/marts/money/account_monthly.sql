{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='month_date', whole_months=true,
    on_schema_change='fail', meta={'partition_by': 'month_date'},
    indexes=[{'columns': ['month_date']}] if target.type == 'postgres' else [],
) }}

with postings as (

    select
        *,
        cast(date_trunc('month', business_date) as date) as month_date
    from {{ ref('fct_transactions') }}
    where {{ months_of_run('business_date') }}

),

counterparties as (

    select
        account_no_token,
        month_date,
        count(*) as counterparty_count
    from (
        select distinct account_no_token, month_date, counterparty_account_token
        from postings
        where counterparty_account_token is not null
    ) as distinct_counterparties
    group by account_no_token, month_date

),

sums as (

    select
        account_no_token,
        month_date,
        count(*) as txn_count,
        sum(signed_amount) as net_amount,
        sum(case when direction = 'D' then amount else 0 end) as outflow_amount,
        sum(case when channel in ('app', 'web') then 1 else 0 end) as online_count,
        max(txn_at) as last_txn_at
    from postings
    group by account_no_token, month_date

),

months as (

    select
        sums.account_no_token,
        sums.month_date,
        sums.txn_count,
        sums.net_amount,
        sums.outflow_amount,
        sums.online_count,
        coalesce(counterparties.counterparty_count, 0) as counterparty_count,
        sums.last_txn_at
    from sums
    left join counterparties
        on sums.account_no_token = counterparties.account_no_token and sums.month_date = counterparties.month_date

    {% if is_incremental() -%}
    union all

    -- the two months before, for the windows
    select
        account_no_token,
        month_date,
        txn_count,
        net_amount,
        outflow_amount,
        online_count,
        counterparty_count,
        last_txn_at
    from {{ this }}
    where month_date < {{ date_literal(month_start(var('from_date'))) }}
        and month_date >= {{ dbt.dateadd('month', -2, date_literal(month_start(var('from_date')))) }}
    {%- endif %}

),

numbered as (

    select
        *,
        cast(extract(year from month_date) * 12 + extract(month from month_date) as integer) as month_number
    from months

),

windowed as (

    select
        *,
        sum(outflow_amount) over last_three as outflow_3m_amount,
        count(*) over last_three as months_3m,
        sum(txn_count) over last_three as txn_count_3m,
        lag(month_number) over by_month as previous_month_number,
        lag(txn_count) over by_month as last_txn_count
    from numbered
    window
        by_month as (partition by account_no_token order by month_number),
        last_three as (partition by account_no_token order by month_number range between 2 preceding and current row)

)

select
    account_no_token,
    month_date,
    cast(txn_count as bigint) as txn_count,
    cast(net_amount as decimal(38, 2)) as net_amount,
    cast(outflow_amount as decimal(38, 2)) as outflow_amount,
    cast(online_count as bigint) as online_count,
    cast(counterparty_count as bigint) as counterparty_count,
    last_txn_at,
    {{ average_amount('outflow_3m_amount', 'months_3m') }} as average_outflow_3m_amount,
    cast(txn_count_3m as bigint) as txn_count_3m,
    cast(case when previous_month_number = month_number - 1 then last_txn_count else 0 end as bigint)
        as previous_txn_count
from windowed
where {{ months_of_run('month_date') }}
