{%- set business_date = date_literal(var('business_date')) %}
{%- set is_last_30d = days_between('flows.business_date', business_date) ~ ' < 30' %}
-- Grain: customer who is with the bank at the business date. Money that left in 30 days to outside money-market funds
-- and wallets, beside what there was to leave.
with accounts as (

    select * from {{ ref('int_account__accounts') }}
    where customer_key is not null and coalesce(product_family, '') not in ('loan', 'card')

),

outflows as (

    select
        accounts.customer_key,
        sum(case when flows.counterparty_class = 'money_market_fund' and {{ is_last_30d }} then flows.amount else 0 end)
            as fund_30d_amount,
        sum(case when flows.counterparty_class = 'wallet' and {{ is_last_30d }} then flows.amount else 0 end)
            as wallet_30d_amount,
        sum(
            case
                when flows.counterparty_class in ('{{ var("leak_classes") | join("', '") }}') and {{ is_last_30d }}
                    then flows.amount
                else 0
            end
        )
            as leak_30d_amount,
        sum(
            case
                when flows.counterparty_class in ('{{ var("leak_classes") | join("', '") }}') and not {{ is_last_30d }}
                    then flows.amount
                else 0
            end
        )
            as previous_30d_amount,
        sum(case when {{ is_last_30d }} then flows.amount else 0 end) as outflow_30d_amount
    from {{ ref('account_flow_daily') }} as flows
    inner join accounts on flows.account_no_token = accounts.account_no_token
    where flows.business_date > {{ days_before(business_date, 60) }}
        and flows.business_date <= {{ business_date }}
        and flows.direction = 'D'
        and flows.counterparty_class <> 'own_transfer'
    group by accounts.customer_key

),

positions as (

    select * from {{ ref('int_customer__positions_monthly') }}
    where as_of_date = {{ business_date }} and life_cycle_stage not in ('prospect', 'lost')

),

profiles as (

    select * from {{ ref('int_customer__profiles') }}
    where is_current

)

select
    positions.customer_key,
    positions.as_of_date,
    profiles.party_type,
    positions.star_tier,
    coalesce(profiles.home_branch_code, 'none') as branch_code,
    positions.deposit_amount,
    cast(coalesce(outflows.fund_30d_amount, 0) as decimal(38, 2)) as fund_30d_amount,
    cast(coalesce(outflows.wallet_30d_amount, 0) as decimal(38, 2)) as wallet_30d_amount,
    cast(coalesce(outflows.leak_30d_amount, 0) as decimal(38, 2)) as leak_30d_amount,
    cast(coalesce(outflows.previous_30d_amount, 0) as decimal(38, 2)) as previous_30d_amount,
    -- what was there 30 days ago and what came in since, by what is there and what went out
    cast(greatest(positions.deposit_amount, 0) + coalesce(outflows.outflow_30d_amount, 0) as decimal(38, 2))
        as available_30d_amount
from positions
inner join profiles on positions.customer_key = profiles.customer_key
left join outflows on positions.customer_key = outflows.customer_key
