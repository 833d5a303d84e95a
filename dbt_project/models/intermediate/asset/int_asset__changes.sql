{{ config(materialized='view') }}
-- Grain: asset (a deposit account or a holding) and day on which its value changed. Where a break between the postings
-- and the bank's balance is explained, the bank's balance holds: the break is a change, too.
select
    'deposit' as asset_class,
    balances.account_no_token as asset_id,
    balances.business_date,
    balances.credit_amount - balances.debit_amount + coalesce(breaks.break_amount, 0) as change_amount
from {{ ref('fct_balances_daily') }} as balances
left join {{ ref('int_money__balance_breaks') }} as breaks
    on balances.account_no_token = breaks.account_no_token
        and balances.business_date = breaks.business_date
        and breaks.explanation is not null

union all

select
    'investment' as asset_class,
    holding_id as asset_id,
    business_date,
    change_amount
from {{ ref('fct_holdings_daily') }}
