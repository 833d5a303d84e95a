{{ config(
    materialized='incremental', incremental_strategy='replace_histories', date_column='as_of_date', whole_months=true,
    on_schema_change='fail'
) }}
{%- set first_date = date_literal(month_start(var('from_date'))) %}
{%- set business_date = date_literal(var('business_date')) %}
{%- set months_back = [var('won_back_months'), var('tier_grace_months'), 4] | max %}
{%- set is_month_end = '(as_of_date = cast(' ~ dbt.last_day('as_of_date', 'month') ~ ' as date))' %}
-- Grain: customer and as-of date (month-ends since the customer is known, and the business date), on today's identity.
-- docs/DECISIONLOG.md explains tiers and stages. A customer whose history stands as it did is carried on from the last
-- month-end before the run; any other is built from the first day.
with carried as (

    {% if is_incremental() -%}
    select
        positions.customer_key,
        positions.asset_count,
        positions.last_activity_date
    from {{ this }} as positions
    inner join {{ ref('int_customer__histories') }} as histories
        on positions.customer_key = histories.customer_key and positions.history_hash = histories.history_hash
    where positions.as_of_date = {{ days_before(first_date, 1) }}
    {%- else -%}
    select
        customer_key,
        cast(null as bigint) as asset_count,
        cast(null as date) as last_activity_date
    from {{ ref('int_customer__histories') }}
    where 1 = 0
    {%- endif %}

),

customers as (

    select
        histories.*,
        case when carried.customer_key is null then {{ date_literal('1900-01-01') }} else {{ first_date }} end
            as built_from_date,
        coalesce(carried.asset_count, 0) as carried_asset_count,
        carried.last_activity_date as carried_activity_date
    from {{ ref('int_customer__histories') }} as histories
    left join carried on histories.customer_key = carried.customer_key

),

as_of_dates as (

    select date_day as as_of_date
    from {{ ref('int_calendar__days') }}
    where date_day <= {{ business_date }}
        and (is_month_end or date_day = {{ business_date }})

),

assets as (

    select
        assets.*,
        customers.customer_since_date,
        customers.built_from_date
    from {{ ref('int_asset__owners') }} as assets
    inner join customers on assets.customer_key = customers.customer_key

),

asset_sums as (

    select
        assets.customer_key,
        asset_values.as_of_date,
        sum(case when asset_values.asset_class = 'deposit' then asset_values.value_amount else 0 end) as deposit_amount,
        sum(case when asset_values.asset_class = 'investment' then asset_values.value_amount else 0 end)
            as investment_amount,
        sum(asset_values.value_days_amount) as value_days_amount
    from {{ ref('int_asset__values') }} as asset_values
    inner join assets
        on asset_values.asset_class = assets.asset_class
            and asset_values.asset_id = assets.asset_id
            and asset_values.as_of_date >= assets.built_from_date
    group by assets.customer_key, asset_values.as_of_date

),

-- an account that was opened before the customer is known counts from the first as-of date on
asset_moves as (

    select
        customer_key,
        least(
            cast({{ dbt.last_day('greatest(moved_date, customer_since_date)', 'month') }} as date), {{ business_date }}
        ) as as_of_date,
        sum(asset_count_change) as asset_count_change
    from (
        select customer_key, customer_since_date, opened_date as moved_date, 1 as asset_count_change
        from assets
        union all
        select customer_key, customer_since_date, closed_date as moved_date, -1 as asset_count_change
        from assets
        where closed_date is not null
    ) as moves
    where moved_date <= cast({{ dbt.last_day(business_date, 'month') }} as date)
    group by 1, 2

),

links as (

    select
        links.party_key,
        customers.customer_key,
        customers.built_from_date
    from {{ ref('int_party__customers') }} as links
    inner join customers on links.customer_key = customers.customer_key

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
    inner join links on months.party_key = links.party_key and months.as_of_date >= links.built_from_date
    group by links.customer_key, months.as_of_date

),

-- the three months up to an as-of date: its month, the two before and, while the month runs, of the third the share of
-- the days that are still to come
profit_months as (

    select
        as_of_dates.as_of_date,
        months.as_of_date as profit_date,
        case when {{ months_between('months.as_of_date', 'as_of_dates.as_of_date') }} < 3 then 1 else 0 end as is_whole,
        cast(extract(day from month_ends.month_end_date) - extract(day from as_of_dates.as_of_date) as integer)
            as lacking_days,
        cast(extract(day from month_ends.month_end_date) as integer) as days_of_month
    from as_of_dates
    inner join {{ ref('int_calendar__days') }} as month_ends on as_of_dates.as_of_date = month_ends.date_day
    inner join as_of_dates as months
        on months.as_of_date <= as_of_dates.as_of_date
            and {{ months_between('months.as_of_date', 'as_of_dates.as_of_date') }} <= 3

),

-- of all products, before a month is counted for each of its as-of dates
profits as (

    select
        profits.customer_key,
        customers.built_from_date,
        profits.as_of_date as profit_date,
        sum(profits.profit_amount) as profit_amount,
        sum(
            case
                when profits.product_family not in ('loan', 'service')
                    then profits.net_interest_amount + profits.fee_amount
                else 0
            end
        ) as asset_margin_amount
    from {{ ref('int_customer__profits_monthly') }} as profits
    inner join customers on profits.customer_key = customers.customer_key
    group by profits.customer_key, customers.built_from_date, profits.as_of_date

),

profit_sums as (

    select
        profits.customer_key,
        profit_months.as_of_date,
        {% for measure in ['profit', 'asset_margin'] -%}
        sum(case when profit_months.is_whole = 1 then profits.{{ measure }}_amount else 0 end)
        + {{ average_amount(
            'sum(case when profit_months.is_whole = 0 then profits.' ~ measure ~ '_amount else 0 end)'
            ~ ' * profit_months.lacking_days', 'profit_months.days_of_month'
        ) }} as {{ measure }}_amount{{ ',' if not loop.last }}
        {% endfor %}
    from profits
    inner join profit_months
        on profits.profit_date = profit_months.profit_date and profit_months.as_of_date >= profits.built_from_date
    group by
        profits.customer_key,
        profit_months.as_of_date,
        profit_months.lacking_days,
        profit_months.days_of_month

),

debts as (

    select
        links.customer_key,
        balances.as_of_date,
        sum(balances.outstanding_amount) as debt_amount
    from {{ ref('int_loan__balances_monthly') }} as balances
    inner join links on balances.party_key = links.party_key and balances.as_of_date >= links.built_from_date
    group by links.customer_key, balances.as_of_date

),

spine as (

    select
        customers.*,
        as_of_dates.as_of_date
    from customers
    inner join as_of_dates
        on as_of_dates.as_of_date >= customers.customer_since_date
            and as_of_dates.as_of_date >= customers.built_from_date

),

measured as (

    select
        spine.customer_key,
        spine.as_of_date,
        spine.history_hash,
        spine.first_opened_date,
        spine.first_full_average_date,
        cast(coalesce(asset_sums.deposit_amount, 0) as decimal(38,2)) as deposit_amount,
        cast(coalesce(asset_sums.investment_amount, 0) as decimal(38,2)) as investment_amount,
        {{ average_amount('coalesce(asset_sums.value_days_amount, 0)', 90) }} as average_aum_3m_amount,
        cast(coalesce(profit_sums.profit_amount, 0) as decimal(38,2)) as contribution_3m_amount,
        cast(coalesce(profit_sums.asset_margin_amount, 0) as decimal(38,2)) as asset_margin_3m_amount,
        cast(spine.carried_asset_count + sum(coalesce(asset_moves.asset_count_change, 0)) over running as bigint)
            as asset_count,
        {% for channel in var('channels') -%}
        cast(coalesce(activity.{{ channel }}_count, 0) as bigint) as {{ channel }}_count,
        {% endfor -%}
        cast(coalesce(activity.complaint_count, 0) as bigint) as complaint_count,
        greatest(spine.carried_activity_date, max(activity.last_activity_date) over running) as last_activity_date,
        cast(coalesce(debts.debt_amount, 0) as decimal(38,2)) as debt_amount
    from spine
    left join asset_sums on spine.customer_key = asset_sums.customer_key and spine.as_of_date = asset_sums.as_of_date
    left join asset_moves on spine.customer_key = asset_moves.customer_key and spine.as_of_date = asset_moves.as_of_date
    left join activity on spine.customer_key = activity.customer_key and spine.as_of_date = activity.as_of_date
    left join debts on spine.customer_key = debts.customer_key and spine.as_of_date = debts.as_of_date
    left join profit_sums
        on spine.customer_key = profit_sums.customer_key and spine.as_of_date = profit_sums.as_of_date
    window running as (partition by spine.customer_key order by spine.as_of_date rows unbounded preceding)

),

tiers as (

    select
        {% for tier in range(2, 8) -%}
        max(case when star_tier = {{ tier }} then minimum_average_aum_amount end) as minimum_average_aum_{{ tier }},
        max(case when star_tier = {{ tier }} then minimum_contribution_amount end)
            as minimum_contribution_{{ tier }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('tier_thresholds') }}
    where currency = '{{ var("currency") }}'

),

thresholds as (

    select
        {% for threshold in [
            'onboarding_days', 'dormant_days', 'lost_days', 'minimum_aum_amount', 'growing_rate', 'declining_rate',
        ] -%}
        max(case when threshold = '{{ threshold }}' then threshold_value end)
            as {{ threshold }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('life_cycle_thresholds') }}

),

rated as (

    select
        measured.*,
        -- who holds nothing and owes nothing has left, whatever the average still says
        deposit_amount + investment_amount < thresholds.minimum_aum_amount and debt_amount = 0 as has_left,
        case
            when deposit_amount + investment_amount < thresholds.minimum_aum_amount and debt_amount = 0 then 1
            {%- for tier in range(7, 1, -1) %}
            when measured.average_aum_3m_amount >= tiers.minimum_average_aum_{{ tier }}
                or measured.contribution_3m_amount >= tiers.minimum_contribution_{{ tier }} then {{ tier }}
            {%- endfor %}
            else 1
        end as reached_star_tier,
        cast(null as varchar) as rule_reason,
        true as is_built
    from measured
    cross join tiers
    cross join thresholds

    {% if is_incremental() -%}
    union all

    select
        customer_key,
        as_of_date,
        history_hash,
        first_opened_date,
        cast(null as date) as first_full_average_date,
        deposit_amount,
        investment_amount,
        average_aum_3m_amount,
        contribution_3m_amount,
        asset_margin_3m_amount,
        asset_count,
        {% for channel in var('channels') -%}
        {{ channel }}_count,
        {% endfor -%}
        complaint_count,
        last_activity_date,
        cast(0 as decimal(38,2)) as debt_amount,
        has_left,
        reached_star_tier,
        rule_reason,
        false as is_built
    from {{ this }}
    where as_of_date < {{ first_date }}
        and as_of_date >= cast({{ dbt.dateadd('month', -months_back, first_date) }} as date)
        and customer_key in (select customer_key from carried)
    {%- endif %}

),

dated as (

    select
        rated.*,
        deposit_amount + investment_amount as aum_amount,
        {{ days_between('first_opened_date', 'as_of_date') }} as days_since_opening,
        {{ days_between('coalesce(last_activity_date, first_opened_date)', 'as_of_date') }} as days_silent,
        -- the two averages share no day: while a month runs, the earlier one is that of the fourth month-end before; an
        -- average over days before there was money to see is lower than the customer's, and nobody has grown since
        case
            {%- for condition, months in [(is_month_end, 3), ('not ' ~ is_month_end, 4)] %}
            when {{ condition }} and lag(as_of_date, {{ months }}) over by_date >= first_full_average_date
                then lag(average_aum_3m_amount, {{ months }}) over by_date
            {%- endfor %}
        end as earlier_average_aum_amount,
        max(case when has_left then as_of_date end) over (
            partition by customer_key order by as_of_date
            rows between {{ var('tier_grace_months') }} preceding and current row
        ) as last_left_date
    from rated
    window by_date as (partition by customer_key order by as_of_date)

),

-- the highest tier within the grace, but none from before the customer left
tiered as (

    select
        dated.*,
        greatest(
            reached_star_tier
            {%- for months in range(1, var('tier_grace_months') + 1) %},
            case
                when coalesce(lag(as_of_date, {{ months }}) over by_date > last_left_date, true)
                    then coalesce(lag(reached_star_tier, {{ months }}) over by_date, 1)
                else 1
            end
            {%- endfor %}
        ) as star_tier
    from dated
    window by_date as (partition by customer_key order by as_of_date)

),

ruled as (

    select
        tiered.*,
        case when is_built then {{ life_cycle_reason() }} else rule_reason end as own_reason
    from tiered
    cross join thresholds

),

remembered as (

    select
        ruled.*,
        max(case when {{ life_cycle_stage('own_reason') }} = 'lost' then 1 else 0 end) over (
            partition by customer_key order by as_of_date
            rows between {{ var('won_back_months') }} preceding and 1 preceding
        ) as has_been_lost
    from ruled

),

reasoned as (

    select
        remembered.*,
        case
            when has_been_lost = 1 and {{ life_cycle_stage('own_reason') }} not in ('prospect', 'lost')
                then 'back_after_loss'
            else own_reason
        end as life_cycle_reason
    from remembered
    where is_built

)

select
    customer_key,
    as_of_date,
    history_hash,
    first_opened_date,
    deposit_amount,
    investment_amount,
    cast(aum_amount as decimal(38,2)) as aum_amount,
    average_aum_3m_amount,
    contribution_3m_amount,
    asset_margin_3m_amount,
    has_left,
    cast(reached_star_tier as integer) as reached_star_tier,
    cast(star_tier as integer) as star_tier,
    cast(own_reason as varchar) as rule_reason,
    cast(life_cycle_reason as varchar) as life_cycle_reason,
    cast({{ life_cycle_stage('life_cycle_reason') }} as varchar) as life_cycle_stage,
    asset_count,
    {% for channel in var('channels') -%}
    {{ channel }}_count,
    {% endfor -%}
    complaint_count,
    last_activity_date
from reasoned
