{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
    meta={'partition_by': 'business_date'},
    indexes=[
        {'columns': ['business_date']},
        {'columns': ['account_no_token', 'business_date']},
    ] if target.type == 'postgres' else [],
) }}

with posted as (

    select
        account_no_token,
        business_date,
        sum(case when direction = 'C' then amount else 0 end) as credit_amount,
        sum(case when direction = 'D' then amount else 0 end) as debit_amount,
        count(*) as txn_count
    from {{ ref('fct_transactions') }}
    where {{ dates_of_run('business_date') }}
    group by account_no_token, business_date

),

stated as (

    select * from {{ ref('int_account__bank_balances') }}

),

days as (

    select
        coalesce(posted.account_no_token, stated.account_no_token) as account_no_token,
        coalesce(posted.business_date, stated.business_date) as business_date,
        coalesce(posted.credit_amount, 0) as credit_amount,
        coalesce(posted.debit_amount, 0) as debit_amount,
        coalesce(posted.txn_count, 0) as txn_count,
        stated.balance as bank_balance_amount
    from posted
    full join stated
        on posted.account_no_token = stated.account_no_token and posted.business_date = stated.business_date

),

{% if is_incremental() -%}
last_days as (

    select
        account_no_token,
        max(business_date) as business_date
    from {{ this }}
    where business_date < {{ date_literal(var('from_date')) }}
        and account_no_token in (select account_no_token from days)
    group by account_no_token

),

carried as (

    select
        built.account_no_token,
        built.balance_amount
    from {{ this }} as built
    inner join last_days
        on built.account_no_token = last_days.account_no_token and built.business_date = last_days.business_date

),
{%- else -%}
carried as (

    select
        account_no_token,
        cast(0 as decimal(38,2)) as balance_amount
    from days
    where 1 = 0

),
{%- endif %}

running as (

    select
        days.*,
        coalesce(carried.balance_amount, 0) + sum(days.credit_amount - days.debit_amount) over (
            partition by days.account_no_token order by days.business_date rows unbounded preceding
        ) as balance_amount
    from days
    left join carried on days.account_no_token = carried.account_no_token

),

owners as (

    select * from {{ ref('int_account__owners') }}

)

select
    running.account_no_token,
    owners.party_key,
    running.business_date,
    cast(running.credit_amount as decimal(38, 2)) as credit_amount,
    cast(running.debit_amount as decimal(38, 2)) as debit_amount,
    cast(running.txn_count as bigint) as txn_count,
    cast(running.balance_amount as decimal(38, 2)) as balance_amount,
    cast(running.bank_balance_amount as decimal(18, 2)) as bank_balance_amount,
    cast(running.bank_balance_amount - running.balance_amount as decimal(38, 2)) as difference_amount
from running
left join owners
    on running.account_no_token = owners.account_no_token and {{ is_valid_on('owners', 'running.business_date') }}
