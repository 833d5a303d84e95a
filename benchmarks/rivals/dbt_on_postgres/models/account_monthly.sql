with months as (

    select
        account_no,
        cast(date_trunc('month', business_date) as date) as month_date,
        count(*) as txn_count,
        sum(signed_amount) as net_amount,
        sum(case when direction = 'D' then amount else 0 end) as outflow_amount,
        sum(case when channel in ('mobile', 'web') then 1 else 0 end) as online_count,
        count(distinct counterparty_account) as counterparty_count,
        max(txn_at) as last_txn_at
    from {{ ref('fct_transactions') }}
    group by account_no, cast(date_trunc('month', business_date) as date)

)

select
    *,
    avg(outflow_amount) over last_three as average_outflow_3m_amount,
    sum(txn_count) over last_three as txn_count_3m,
    lag(txn_count) over (partition by account_no order by month_date) as previous_txn_count
from months
window last_three as (partition by account_no order by month_date rows between 2 preceding and current row)
