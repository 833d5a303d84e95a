{{ config(materialized='view') }}
-- Grain: asset (a deposit account or a holding) and day on which its value changed.
select
    'deposit' as asset_class,
    account_no as asset_id,
    business_date,
    credit_amount - debit_amount as change_amount
from {{ ref('fct_balances_daily') }}

union all

select
    'investment' as asset_class,
    holding_id as asset_id,
    business_date,
    change_amount
from {{ ref('fct_holdings_daily') }}
