{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
    meta={'partition_by': 'business_date'},
    indexes=[{'columns': ['business_date']}] if target.type == 'postgres' else [],
) }}

with app_events as (

    select * from {{ ref('stg_online__app_events') }}
    where {{ dates_of_run('business_date') }}
        and {{ is_first_telling('app_events', 'event_id') }}

),

mall_orders as (

    select * from {{ ref('stg_online__mall_orders') }}
    where {{ dates_of_run('business_date') }}
        and {{ is_first_telling('mall_orders', 'order_id') }}

),

wallet_payments as (

    select * from {{ ref('stg_online__wallet_payments') }}
    where {{ dates_of_run('business_date') }}
        and {{ is_first_telling('wallet_payments', 'payment_id') }}

),

bindings as (

    select * from {{ ref('int_account__wallets') }}

),

owners as (

    select * from {{ ref('int_account__owners') }}

)

select
    cast('app:' || event_id as varchar) as online_event_id,
    cast('app_event' as varchar) as event_kind,
    party_key,
    business_date,
    event_at,
    platform as channel,
    event_name,
    product_code,
    session_id,
    cast(null as decimal(18, 2)) as amount,
    _known_date as known_date
from app_events

union all

select
    cast('mall:' || order_id as varchar) as online_event_id,
    cast('mall_order' as varchar) as event_kind,
    party_key,
    business_date,
    ordered_at as event_at,
    'mall' as channel,
    cast('order_' || status as varchar) as event_name,
    null as product_code,
    null as session_id,
    amount,
    _known_date as known_date
from mall_orders

union all

select
    cast('wallet:' || wallet_payments.payment_id as varchar) as online_event_id,
    cast('wallet_payment' as varchar) as event_kind,
    owners.party_key,
    wallet_payments.business_date,
    wallet_payments.paid_at as event_at,
    'wallet' as channel,
    cast('pay_' || wallet_payments.purpose as varchar) as event_name,
    null as product_code,
    null as session_id,
    wallet_payments.amount,
    wallet_payments._known_date as known_date
from wallet_payments
left join bindings
    on wallet_payments.binding_id = bindings.binding_id
        and {{ is_valid_on('bindings', 'wallet_payments.business_date') }}
left join owners
    on bindings.account_no_token = owners.account_no_token
        and {{ is_valid_on('owners', 'wallet_payments.business_date') }}
