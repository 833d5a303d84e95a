-- Months with postings; "three months" are calendar months, of which those without a posting do not count in the average.
with postings as (
    select *, date_trunc('month', business_date) as month from transactions
    qualify row_number() over (partition by txn_id order by known_date, delivery, row) = 1
),
months as (
    select
        account_no_token,
        month,
        count(*) as txn_count,
        sum(if(direction = 'C', amount, -amount)) as net_amount,
        sum(if(direction = 'D', amount, 0)) as outflow_amount,
        count(*) filter (channel in ('mobile', 'web')) as online_count,
        count(distinct counterparty_account) as counterparty_count,
        max(txn_at) as last_txn_at
    from postings
    group by all
)
select
    this.account_no_token,
    cast(this.month as date) as month_date,
    any_value(this.txn_count) as txn_count,
    any_value(this.net_amount) as net_amount,
    any_value(this.outflow_amount) as outflow_amount,
    any_value(this.online_count) as online_count,
    any_value(this.counterparty_count) as counterparty_count,
    any_value(this.last_txn_at) as last_txn_at,
    average(sum(recent.outflow_amount), count(*)) as average_outflow_3m_amount,
    sum(recent.txn_count) as txn_count_3m,
    coalesce(sum(recent.txn_count) filter (recent.month = this.month - interval 1 month), 0) as previous_txn_count
from months as this
join months as recent
    on recent.account_no_token = this.account_no_token and recent.month between this.month - interval 2 months and this.month
group by this.account_no_token, this.month
