{%- set business_date = date_literal(var('business_date')) %}
with accounts as (

    select * from {{ ref('dim_account') }}
    where customer_key is not null

),

leaks as (

    select
        accounts.customer_key,
        sum(
            case
                when flows.counterparty_class = 'money_market_fund'
                    and {{ days_between('flows.business_date', business_date) }} < 30
                    then flows.amount
                else 0
            end
        )
            as fund_30d_amount,
        sum(
            case
                when flows.counterparty_class = 'wallet'
                    and {{ days_between('flows.business_date', business_date) }} < 30
                    then flows.amount
                else 0
            end
        )
            as wallet_30d_amount,
        sum(case when {{ days_between('flows.business_date', business_date) }} >= 30 then flows.amount else 0 end)
            as previous_30d_amount
    from {{ ref('account_flow_daily') }} as flows
    inner join accounts on flows.account_no = accounts.account_no
    where flows.business_date > {{ days_before(business_date, 60) }}
        and flows.direction = 'D'
        and flows.counterparty_class in ('{{ var("leak_classes") | join("', '") }}')
    group by accounts.customer_key

),

customers as (

    select
        positions.customer_key,
        positions.deposit_amount,
        positions.star_tier,
        profiles.party_type,
        profiles.home_branch_code,
        coalesce(leaks.fund_30d_amount, 0) as fund_30d_amount,
        coalesce(leaks.wallet_30d_amount, 0) as wallet_30d_amount,
        coalesce(leaks.previous_30d_amount, 0) as previous_30d_amount,
        case when leaks.customer_key is not null then 1 else 0 end as is_leaking
    from {{ ref('int_customer__positions_monthly') }} as positions
    inner join {{ ref('dim_customer') }} as profiles
        on positions.customer_key = profiles.customer_key
            and profiles.is_current
    left join leaks on positions.customer_key = leaks.customer_key
    where positions.as_of_date = {{ business_date }} and positions.first_opened_date is not null

),

levels as (

    select 'customer' as watch_level, customer_key as watch_key, customers.* from customers where is_leaking = 1
    union all
    select 'segment', party_type || cast(star_tier as varchar), customers.* from customers
    union all
    select 'branch', coalesce(home_branch_code, 'none'), customers.* from customers
    union all
    select 'bank', 'bank', customers.* from customers

),

sums as (

    select
        watch_level,
        watch_key,
        count(*) as customer_count,
        sum(is_leaking) as leaking_count,
        sum(fund_30d_amount) as fund_30d_amount,
        sum(wallet_30d_amount) as wallet_30d_amount,
        sum(previous_30d_amount) as previous_30d_amount,
        sum(deposit_amount) as deposit_amount
    from levels
    group by watch_level, watch_key

)

select
    cast(watch_level as varchar) as watch_level,
    cast(watch_key as varchar) as watch_key,
    {{ business_date }} as as_of_date,
    cast(customer_count as bigint) as customer_count,
    cast(leaking_count as bigint) as leaking_count,
    cast(fund_30d_amount as decimal(38, 2)) as fund_30d_amount,
    cast(wallet_30d_amount as decimal(38, 2)) as wallet_30d_amount,
    cast(previous_30d_amount as decimal(38, 2)) as previous_30d_amount,
    cast(deposit_amount as decimal(38, 2)) as deposit_amount,
    {{ share_of('fund_30d_amount + wallet_30d_amount', 'deposit_amount + fund_30d_amount + wallet_30d_amount') }}
        as leak_rate
from sums
