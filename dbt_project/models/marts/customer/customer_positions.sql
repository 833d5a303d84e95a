{{ config(materialized='view', tags=['serving']) }}
select
    customer_key,
    as_of_date,
    party_type,
    home_branch_code,
    rm_id,
    star_tier,
    life_cycle_stage,
    asset_count > 0 as has_account,
    deposit_amount,
    investment_amount,
    aum_amount
from {{ ref('customer_360_monthly') }}
where as_of_date <> {{ date_literal(var('business_date')) }}

union all

select
    customer_key,
    as_of_date,
    party_type,
    home_branch_code,
    rm_id,
    star_tier,
    life_cycle_stage,
    asset_count > 0 as has_account,
    deposit_amount,
    investment_amount,
    aum_amount
from {{ ref('customer_360') }}
