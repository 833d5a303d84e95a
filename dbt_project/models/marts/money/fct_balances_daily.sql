{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
    meta={'partition_by': 'business_date'},
    indexes=[{'columns': ['business_date']}, {'columns': ['account_no', 'business_date']}] if target.type == 'postgres' else [],
) }}

with moves as (

    select
        account_no,
        business_date,
        case when direction = 'C' then amount end as credit_amount,
        case when direction = 'D' then amount end as debit_amount,
        1 as txn_count,
        cast(null as decimal(18,2)) as bank_balance_amount
    from {{ ref('fct_transactions') }}
    where {{ dates_of_run('business_date') }}

    union all

    select
        account_no,
        business_date,
        null as credit_amount,
        null as debit_amount,
        0 as txn_count,
        balance as bank_balance_amount
    from {{ ref('int_account__bank_balances') }}

),

days as (

    select
        account_no,
        business_date,
        coalesce(sum(credit_amount), 0) as credit_amount,
        coalesce(sum(debit_amount), 0) as debit_amount,
        sum(txn_count) as txn_count,
        max(bank_balance_amount) as bank_balance_amount
    from moves
    group by account_no, business_date

),

{% if is_incremental() -%}
last_days as (

    select
        account_no,
        max(business_date) as business_date
    from {{ this }}
    where business_date < {{ date_literal(var('from_date')) }}
        and account_no in (select account_no from days)
    group by account_no

),

carried as (

    select
        built.account_no,
        built.balance_amount
    from {{ this }} as built
    inner join last_days
        on built.account_no = last_days.account_no and built.business_date = last_days.business_date

),
{%- else -%}
carried as (

    select
        account_no,
        cast(0 as decimal(38,2)) as balance_amount
    from days
    where 1 = 0

),
{%- endif %}

running as (

    select
        days.*,
        coalesce(carried.balance_amount, 0) + sum(days.credit_amount - days.debit_amount) over (
            partition by days.account_no order by days.business_date rows unbounded preceding
        ) as balance_amount
    from days
    left join carried on days.account_no = carried.account_no

),

owners as (

    select * from {{ ref('int_account__owners') }}

)

select
    running.account_no,
    owners.party_key,
    running.business_date,
    cast(running.credit_amount as decimal(38,2)) as credit_amount,
    cast(running.debit_amount as decimal(38,2)) as debit_amount,
    cast(running.txn_count as bigint) as txn_count,
    cast(running.balance_amount as decimal(38,2)) as balance_amount,
    cast(running.bank_balance_amount as decimal(18,2)) as bank_balance_amount,
    cast(running.bank_balance_amount - running.balance_amount as decimal(38,2)) as difference_amount
from running
left join owners
    on running.account_no = owners.account_no and {{ is_valid_on('owners', 'running.business_date') }}
