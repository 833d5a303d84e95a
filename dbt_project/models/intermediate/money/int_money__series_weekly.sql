-- noqa: disable=LT02
{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='week_end_date',
    on_schema_change='fail',
) }}
{%- set first_date = date_literal(var('from_date')) %}
{%- set last_date = date_literal(var('business_date')) %}

-- Grain: series and week, the last one unfinished: the next day carries on from it.
-- An account stays with the branch and product of its first row, a holding with the home branch of its owner when it
-- was first told: then a stock is the sum of its changes, and a day touches its own weeks only.
with accounts as (

    select
        account_no_token,
        coalesce(branch_code, 'none') as branch_code,
        coalesce(products.product_family, 'none') as product_family,
        states.business_date as valid_from
    from (
        select
            *,
            row_number() over (partition by account_no_token order by business_date) as place
        from {{ ref('int_account__states') }}
    ) as states
    left join {{ ref('stg_reference__products') }} as products on states.product_code = products.product_code
    where states.place = 1

),

holdings as (

    select
        holding_id,
        party_key,
        product_code,
        business_date as valid_from,
        row_number() over (partition by holding_id order by business_date) as place
    from {{ ref('fct_holdings_daily') }}

),

homes as (

    select
        party_key,
        home_branch_code,
        business_date as valid_from,
        lead(business_date) over (partition by party_key order by business_date) as valid_to
    from (

        {{ last_known(ref('stg_branch__customers'), ['party_key', 'business_date']) }}

    ) as records

),

sold as (

    select
        holdings.holding_id,
        coalesce(homes.home_branch_code, 'none') as branch_code,
        coalesce(products.product_family, 'none') as product_family
    from holdings
    left join homes on holdings.party_key = homes.party_key and {{ is_valid_on('homes', 'holdings.valid_from') }}
    left join {{ ref('stg_reference__products') }} as products on holdings.product_code = products.product_code
    where holdings.place = 1

),

moves as (

    select
        'deposit' as measure,
        coalesce(accounts.branch_code, 'none') as branch_code,
        coalesce(accounts.product_family, 'none') as product_family,
        changes.business_date,
        changes.change_amount as amount
    from {{ ref('int_asset__changes') }} as changes
    left join accounts
        on changes.asset_id = accounts.account_no_token and changes.business_date >= accounts.valid_from
    where {{ weeks_of_run('changes.business_date') }}
        and changes.asset_class = 'deposit'
        and coalesce(accounts.product_family, 'none') not in ('loan', 'card')

    union all

    select
        'investment' as measure,
        sold.branch_code,
        sold.product_family,
        holdings.business_date,
        holdings.change_amount as amount
    from {{ ref('fct_holdings_daily') }} as holdings
    inner join sold on holdings.holding_id = sold.holding_id
    where {{ weeks_of_run('holdings.business_date') }}

    union all

    select
        'outflow' as measure,
        coalesce(accounts.branch_code, 'none') as branch_code,
        flows.counterparty_class as product_family,
        flows.business_date,
        flows.amount
    from {{ ref('account_flow_daily') }} as flows
    left join accounts
        on flows.account_no_token = accounts.account_no_token and flows.business_date >= accounts.valid_from
    where {{ weeks_of_run('flows.business_date') }}
        and flows.direction = 'D'
        and flows.txn_count > 0
        and flows.counterparty_class in ('{{ var("leak_classes") | join("', '") }}')

),

sums as (

    select
        measure,
        branch_code,
        product_family,
        {{ week_end('business_date') }} as week_end_date,
        sum(amount) as amount
    from moves
    group by measure, branch_code, product_family, {{ week_end('business_date') }}

),

carried as (

    -- the last week built before; weeks without any delivery since then follow
    {% if is_incremental() -%}
    select
        measure,
        branch_code,
        product_family,
        week_end_date,
        amount
    from {{ this }}
    where week_end_date = (select max(week_end_date) from {{ this }} where week_end_date < {{ week_end(first_date) }})
    {%- else -%}
    select
        measure,
        branch_code,
        product_family,
        week_end_date,
        amount
    from sums
    where 1 = 0
    {%- endif %}

),

series as (

    select
        measure,
        branch_code,
        product_family,
        min(week_end_date) as first_week_end_date
    from (
        select measure, branch_code, product_family, week_end_date from sums
        union all
        select measure, branch_code, product_family, {{ days_before('week_end_date', -7) }} from carried
    ) as seen
    group by measure, branch_code, product_family

),

weeks as (

    select
        series.measure,
        series.branch_code,
        series.product_family,
        dates.date_day as week_end_date
    from series
    inner join {{ ref('int_calendar__days') }} as dates on dates.date_day >= series.first_week_end_date
    where dates.day_of_week = 7
        and dates.date_day <= {{ week_end(last_date) }}

)

select
    cast(weeks.measure as varchar) as measure,
    cast(weeks.branch_code as varchar) as branch_code,
    cast(weeks.product_family as varchar) as product_family,
    weeks.week_end_date,
    cast(
        case
            when weeks.measure = 'outflow' then coalesce(sums.amount, 0)
            else coalesce(carried.amount, 0) + sum(coalesce(sums.amount, 0)) over (
                    partition by weeks.measure, weeks.branch_code, weeks.product_family
                    order by weeks.week_end_date
                    rows unbounded preceding
                )
        end as decimal(38, 2)
    ) as amount
from weeks
left join sums
    on weeks.measure = sums.measure
        and weeks.branch_code = sums.branch_code
        and weeks.product_family = sums.product_family
        and weeks.week_end_date = sums.week_end_date
left join carried
    on weeks.measure = carried.measure
        and weeks.branch_code = carried.branch_code
        and weeks.product_family = carried.product_family
