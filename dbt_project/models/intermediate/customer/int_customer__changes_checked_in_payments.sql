{{ config(materialized='ephemeral') }}
-- Grain: a change of income or counterparties, and whether the postings, one by one, say the same.
with changes as (

    select * from {{ ref('int_customer__changes_in_words') }}
    where change_kind in ('income_stopped', 'new_counterparty_type')

),

accounts as (

    select * from {{ ref('int_account__accounts') }}

),

postings as (

    select
        accounts.customer_key,
        transactions.business_date,
        transactions.counterparty_class,
        transactions.direction,
        transactions.amount
    from {{ ref('fct_transactions') }} as transactions
    inner join accounts on transactions.account_no_token = accounts.account_no_token
    where transactions.business_date > {{ change_lookback(366) }}

),

open_customers as (

    select distinct
        changes.customer_key,
        changes.change_date
    from changes
    inner join accounts on changes.customer_key = accounts.customer_key
    where accounts.opened_date <= changes.change_date
        and (accounts.closed_date is null or accounts.closed_date > changes.change_date)

),

counted as (

    select
        changes.customer_key,
        changes.change_kind,
        changes.change_detail,
        changes.change_date,
        changes.amount,
        changes.event_date,
        sum(case when postings.business_date = changes.event_date then postings.amount else 0 end) as day_amount,
        count(
            case
                when postings.business_date < changes.event_date
                    and {{ days_between('postings.business_date', 'changes.event_date') }} <= 365 then 1
            end
        ) as earlier_count,
        count(
            case
                when postings.business_date > changes.event_date
                    and postings.business_date <= changes.change_date then 1
            end
        ) as later_count
    from changes
    inner join postings
        on changes.customer_key = postings.customer_key
            and postings.counterparty_class || ':' || postings.direction
            = changes.change_detail || case changes.change_kind when 'income_stopped' then ':C' else '' end
    group by
        changes.customer_key,
        changes.change_kind,
        changes.change_detail,
        changes.change_date,
        changes.amount,
        changes.event_date

)

select
    counted.customer_key,
    counted.change_kind,
    counted.change_detail,
    counted.change_date,
    counted.day_amount = counted.amount
    and case counted.change_kind
        when 'income_stopped' then counted.later_count = 0 and open_customers.customer_key is not null
        else counted.earlier_count = 0
    end as is_true
from counted
left join open_customers
    on counted.customer_key = open_customers.customer_key and counted.change_date = open_customers.change_date
