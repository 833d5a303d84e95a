{{ config(materialized='view') }}

with accounts as (

    select * from {{ ref('dim_account') }}
    where customer_key is not null

),

flows as (

    select * from {{ ref('account_flow_daily') }}

)

select
    accounts.customer_key,
    flows.business_date,
    flows.counterparty_class,
    flows.direction,
    cast(sum(flows.txn_count) as bigint) as txn_count,
    cast(sum(flows.amount) as decimal(38, 2)) as amount,
    cast(sum(flows.wallet_payment_count) as bigint) as wallet_payment_count,
    cast(sum(flows.wallet_payment_amount) as decimal(38, 2)) as wallet_payment_amount
from flows
inner join accounts on flows.account_no_token = accounts.account_no_token
group by accounts.customer_key, flows.business_date, flows.counterparty_class, flows.direction
