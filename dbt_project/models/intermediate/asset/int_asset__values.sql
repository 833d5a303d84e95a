{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='as_of_date', whole_months=true,
    on_schema_change='fail'
) }}
-- Grain: asset and as-of date (month-ends, and the business date), unless it is and was worth nothing. A change on day
-- d counts in the average of the 90 days up to A for all of them that come after d, so average = value at A - sum over
-- the window of change * (days of the window before d) / 90: no row per day is needed.
with as_of_dates as (

    {{ as_of_dates_of_run() }}

),

changes as (

    select * from {{ ref('int_asset__changes') }}
    where business_date > {{ days_before(date_literal(month_start(var('from_date'))), 90) }}
        and business_date <= {{ date_literal(var('business_date')) }}

),

carried as (

    {% if is_incremental() -%}
    select
        asset_class,
        asset_id,
        value_amount
    from {{ this }}
    where as_of_date = {{ days_before(date_literal(month_start(var('from_date'))), 1) }}
    {%- else -%}
    select
        asset_class,
        asset_id,
        change_amount as value_amount
    from changes
    where 1 = 0
    {%- endif %}

),

days as (

    select
        as_of_dates.as_of_date,
        dates.date_day as business_date,
        dates.date_day >= as_of_dates.month_date as is_in_month,
        {{ days_between('as_of_dates.month_date', 'dates.date_day') }} as month_days_before_change,
        {{ days_between('as_of_dates.as_of_date', 'dates.date_day') }} + 89 as days_before_change
    from as_of_dates
    inner join {{ ref('int_calendar__days') }} as dates
        on dates.date_day <= as_of_dates.as_of_date and dates.date_day > {{ days_before('as_of_dates.as_of_date', 90) }}

),

moves as (

    select
        changes.asset_class,
        changes.asset_id,
        days.as_of_date,
        sum(case when days.is_in_month then changes.change_amount else 0 end) as change_amount,
        sum(changes.change_amount * days.days_before_change) as absent_amount,
        sum(case when days.is_in_month then changes.change_amount * days.month_days_before_change else 0 end)
            as absent_in_month_amount
    from changes
    inner join days on changes.business_date = days.business_date
    group by changes.asset_class, changes.asset_id, days.as_of_date

),

assets as (

    select
        asset_class,
        asset_id
    from carried

    union

    select
        asset_class,
        asset_id
    from moves

),

valued as (

    select
        assets.asset_class,
        assets.asset_id,
        as_of_dates.as_of_date,
        coalesce(carried.value_amount, 0) + sum(coalesce(moves.change_amount, 0)) over (
            partition by assets.asset_class, assets.asset_id
            order by as_of_dates.as_of_date
            rows unbounded preceding
        ) as value_amount,
        coalesce(moves.absent_amount, 0) as absent_amount,
        coalesce(moves.absent_in_month_amount, 0) as absent_in_month_amount
    from assets
    cross join as_of_dates
    left join carried on assets.asset_class = carried.asset_class and assets.asset_id = carried.asset_id
    left join moves
        on assets.asset_class = moves.asset_class
            and assets.asset_id = moves.asset_id
            and as_of_dates.as_of_date = moves.as_of_date

)

select
    asset_class,
    asset_id,
    as_of_date,
    cast(value_amount as decimal(38, 2)) as value_amount,
    -- 90 times the average: sums of whole cents stay exact
    cast(90 * value_amount - absent_amount as decimal(38, 2)) as value_days_amount,
    cast(extract(day from as_of_date) * value_amount - absent_in_month_amount as decimal(38, 2)) as month_days_amount
from valued
where value_amount <> 0
    or 90 * value_amount <> absent_amount
    or extract(day from as_of_date) * value_amount <> absent_in_month_amount
