-- Grain: customer and as-of date (month-ends since the customer is known, and the business date), on today's identity.
-- docs/DECISIONLOG.md explains tiers and stages.
with links as (

    select * from {{ ref('int_party__customers') }}

),

customers as (

    select distinct
        customer_key,
        customer_since_date
    from links

),

as_of_dates as (

    select
        date_day as as_of_date,
        month_date
    from {{ ref('dim_date') }}
    where date_day <= {{ date_literal(var('business_date')) }}
        and (is_month_end or date_day = {{ date_literal(var('business_date')) }})

),

assets as (

    select * from {{ ref('int_asset__owners') }}

),

asset_sums as (

    select
        assets.customer_key,
        asset_values.as_of_date,
        sum(case when asset_values.asset_class = 'deposit' then asset_values.value_amount else 0 end) as deposit_amount,
        sum(case when asset_values.asset_class = 'investment' then asset_values.value_amount else 0 end) as investment_amount,
        sum(asset_values.value_days_amount) as value_days_amount
    from {{ ref('int_asset__values') }} as asset_values
    inner join assets
        on asset_values.asset_class = assets.asset_class and asset_values.asset_id = assets.asset_id
    group by assets.customer_key, asset_values.as_of_date

),

asset_counts as (

    select
        customer_key,
        month_date,
        sum(opened_count) as opened_count,
        sum(closed_count) as closed_count
    from (
        select customer_key, cast(date_trunc('month', opened_date) as date) as month_date, 1 as opened_count, 0 as closed_count
        from assets
        union all
        select customer_key, cast(date_trunc('month', closed_date) as date) as month_date, 0 as opened_count, 1 as closed_count
        from assets
        where closed_date is not null
    ) as openings_and_closings
    group by customer_key, month_date

),

first_assets as (

    select
        customer_key,
        min(opened_date) as first_opened_date
    from assets
    group by customer_key

),

activity as (

    select
        links.customer_key,
        months.as_of_date,
        {% for channel in var('channels') -%}
        sum(months.{{ channel }}_count) as {{ channel }}_count,
        {% endfor -%}
        sum(months.complaint_count) as complaint_count,
        max(months.last_activity_date) as last_activity_date
    from {{ ref('int_activity__months') }} as months
    inner join links on months.party_key = links.party_key
    group by links.customer_key, months.as_of_date

),

-- an account that was opened before the customer is known counts from the first as-of date on
asset_months as (

    select
        asset_counts.customer_key,
        min(as_of_dates.as_of_date) as as_of_date,
        asset_counts.opened_count,
        asset_counts.closed_count,
        asset_counts.month_date
    from asset_counts
    inner join customers on asset_counts.customer_key = customers.customer_key
    inner join as_of_dates
        on as_of_dates.month_date >= asset_counts.month_date and as_of_dates.as_of_date >= customers.customer_since_date
    group by asset_counts.customer_key, asset_counts.month_date, asset_counts.opened_count, asset_counts.closed_count

),

asset_moves as (

    select
        customer_key,
        as_of_date,
        sum(opened_count) - sum(closed_count) as asset_count_change
    from asset_months
    group by customer_key, as_of_date

),

spine as (

    select
        customers.customer_key,
        customers.customer_since_date,
        as_of_dates.as_of_date
    from customers
    inner join as_of_dates on as_of_dates.as_of_date >= customers.customer_since_date

),

measured as (

    select
        spine.customer_key,
        spine.as_of_date,
        first_assets.first_opened_date,
        coalesce(asset_sums.deposit_amount, 0) as deposit_amount,
        coalesce(asset_sums.investment_amount, 0) as investment_amount,
        coalesce(asset_sums.deposit_amount, 0) + coalesce(asset_sums.investment_amount, 0) as aum_amount,
        {{ average_amount('coalesce(asset_sums.value_days_amount, 0)', 90) }} as average_aum_3m_amount,
        sum(coalesce(asset_moves.asset_count_change, 0)) over running as asset_count,
        max(activity.last_activity_date) over running as last_activity_date,
        {% for channel in var('channels') -%}
        coalesce(activity.{{ channel }}_count, 0) as {{ channel }}_count,
        {% endfor -%}
        coalesce(activity.complaint_count, 0) as complaint_count
    from spine
    left join first_assets on spine.customer_key = first_assets.customer_key
    left join asset_sums on spine.customer_key = asset_sums.customer_key and spine.as_of_date = asset_sums.as_of_date
    left join asset_moves on spine.customer_key = asset_moves.customer_key and spine.as_of_date = asset_moves.as_of_date
    left join activity on spine.customer_key = activity.customer_key and spine.as_of_date = activity.as_of_date
    window running as (partition by spine.customer_key order by spine.as_of_date rows unbounded preceding)

),

thresholds as (

    select
        {% for threshold in ['onboarding_days', 'dormant_days', 'lost_days', 'minimum_aum_amount', 'growing_rate', 'declining_rate'] -%}
        max(case when threshold = '{{ threshold }}' then threshold_value end) as {{ threshold }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('life_cycle_thresholds') }}

),

dated as (

    select
        measured.*,
        {{ days_between('measured.first_opened_date', 'measured.as_of_date') }} as days_since_opening,
        {{ days_between('coalesce(measured.last_activity_date, measured.first_opened_date)', 'measured.as_of_date') }}
            as days_silent,
        lag(measured.average_aum_3m_amount, 3) over (
            partition by measured.customer_key order by measured.as_of_date
        ) as earlier_average_aum_amount
    from measured

),

staged as (

    select
        dated.*,
        case
            when dated.first_opened_date is null or dated.days_since_opening < 0 then 'prospect'
            when dated.asset_count <= 0 and dated.aum_amount < thresholds.minimum_aum_amount then 'lost'
            when dated.aum_amount < thresholds.minimum_aum_amount and dated.days_silent >= thresholds.lost_days then 'lost'
            when dated.days_since_opening < thresholds.onboarding_days then 'onboarding'
            when dated.days_silent >= thresholds.dormant_days then 'dormant'
            when dated.average_aum_3m_amount < dated.earlier_average_aum_amount * (1 + thresholds.declining_rate) then 'declining'
            when dated.average_aum_3m_amount > dated.earlier_average_aum_amount * (1 + thresholds.growing_rate) then 'growing'
            else 'mature'
        end as stage_of_itself
    from dated
    cross join thresholds

),

remembered as (

    select
        staged.*,
        max(case when stage_of_itself = 'lost' then 1 else 0 end) over (
            partition by customer_key order by as_of_date rows between {{ var('won_back_months') }} preceding and 1 preceding
        ) as has_been_lost
    from staged

),

tier_starts as (

    select
        star_tier,
        minimum_average_aum_amount,
        lead(minimum_average_aum_amount) over (order by star_tier) as next_minimum_amount
    from {{ ref('tier_thresholds') }}
    where currency = '{{ var("currency") }}'

)

select
    remembered.customer_key,
    remembered.as_of_date,
    remembered.first_opened_date,
    cast(remembered.deposit_amount as decimal(38,2)) as deposit_amount,
    cast(remembered.investment_amount as decimal(38,2)) as investment_amount,
    cast(remembered.aum_amount as decimal(38,2)) as aum_amount,
    remembered.average_aum_3m_amount,
    coalesce(tier_starts.star_tier, 1) as star_tier,
    case
        when remembered.has_been_lost = 1 and remembered.stage_of_itself not in ('prospect', 'lost') then 'won_back'
        else remembered.stage_of_itself
    end as life_cycle_stage,
    cast(remembered.asset_count as bigint) as asset_count,
    {% for channel in var('channels') -%}
    cast(remembered.{{ channel }}_count as bigint) as {{ channel }}_count,
    {% endfor -%}
    cast(remembered.complaint_count as bigint) as complaint_count,
    remembered.last_activity_date
from remembered
left join tier_starts
    on remembered.average_aum_3m_amount >= tier_starts.minimum_average_aum_amount
        and (
            remembered.average_aum_3m_amount < tier_starts.next_minimum_amount
            or tier_starts.next_minimum_amount is null
        )
