-- The past and the forecast of the whole bank in one table: one line on a chart, that opens into a range.
with past as (

    select
        measure,
        week_end_date,
        sum(amount) as amount
    from {{ ref('balance_series_weekly') }}
    group by measure, week_end_date

),

forecasts as (

    select
        measure,
        week_end_date,
        horizon_weeks,
        mean_amount,
        lower_80_amount,
        upper_80_amount
    from {{ ref('forecast_balances') }}
    where series_level = 'bank'

),

-- the week before the first forecast is known: the range begins there, with no width
starts as (

    select
        past.measure,
        past.week_end_date,
        past.amount as mean_amount,
        case when forecasts.lower_80_amount is not null then past.amount end as lower_80_amount,
        case when forecasts.upper_80_amount is not null then past.amount end as upper_80_amount
    from past
    inner join forecasts
        on past.measure = forecasts.measure
            and past.week_end_date = {{ days_before('forecasts.week_end_date', 7) }}
    where forecasts.horizon_weeks = 1

),

ahead as (

    select measure, week_end_date, mean_amount, lower_80_amount, upper_80_amount from starts
    union all
    select measure, week_end_date, mean_amount, lower_80_amount, upper_80_amount from forecasts

)

select
    coalesce(past.measure, ahead.measure) as measure,
    coalesce(past.week_end_date, ahead.week_end_date) as week_end_date,
    cast(past.amount as decimal(38, 2)) as actual_amount,
    cast(ahead.mean_amount as decimal(38, 2)) as mean_amount,
    cast(ahead.lower_80_amount as decimal(38, 2)) as lower_80_amount,
    cast(ahead.upper_80_amount as decimal(38, 2)) as upper_80_amount
from past
full outer join ahead on past.measure = ahead.measure and past.week_end_date = ahead.week_end_date
