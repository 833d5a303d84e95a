{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
    meta={'partition_by': 'business_date'},
    indexes=[
        {'columns': ['business_date']},
        {'columns': ['account_no_token', 'business_date']},
    ] if target.type == 'postgres' else [],
) }}

with wallets as (

    select * from {{ ref('int_account__wallets') }}

),

purposes as (

    select * from {{ ref('wallet_purposes') }}

),

moves as (

    select
        account_no_token,
        business_date,
        counterparty_class,
        direction,
        1 as txn_count,
        amount,
        0 as payment_count,
        0 as payment_amount
    from {{ ref('fct_transactions') }}
    where {{ dates_of_run('business_date') }}

    union all

    select
        wallets.account_no_token,
        payments.business_date,
        coalesce(purposes.counterparty_class, 'wallet') as counterparty_class,
        'D' as direction,
        0 as txn_count,
        0 as amount,
        1 as payment_count,
        payments.amount as payment_amount
    from {{ ref('stg_online__wallet_payments') }} as payments
    inner join wallets
        on payments.binding_id = wallets.binding_id and {{ is_valid_on('wallets', 'payments.business_date') }}
    left join purposes on payments.purpose = purposes.purpose
    where {{ dates_of_run('payments.business_date') }}
        and {{ is_first_telling('wallet_payments', 'payments.payment_id') }}

)

select
    cast(account_no_token as varchar) as account_no_token,
    business_date,
    cast(counterparty_class as varchar) as counterparty_class,
    cast(direction as varchar) as direction,
    cast(sum(txn_count) as bigint) as txn_count,
    cast(sum(amount) as decimal(38, 2)) as amount,
    cast(sum(payment_count) as bigint) as wallet_payment_count,
    cast(sum(payment_amount) as decimal(38, 2)) as wallet_payment_amount
from moves
group by account_no_token, business_date, counterparty_class, direction
