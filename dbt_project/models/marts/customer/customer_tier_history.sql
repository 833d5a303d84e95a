with months as (

    select
        positions.customer_key,
        positions.as_of_date,
        positions.star_tier,
        lag(positions.star_tier) over by_date as previous_star_tier,
        lag(positions.as_of_date) over by_date >= histories.first_full_average_date as is_after_full_average
    from {{ ref('int_customer__positions_monthly') }} as positions
    left join {{ ref('int_customer__histories') }} as histories on positions.customer_key = histories.customer_key
    where positions.as_of_date = cast({{ dbt.last_day('positions.as_of_date', 'month') }} as date)
        or positions.as_of_date = {{ date_literal(var('business_date')) }}
    window by_date as (partition by positions.customer_key order by positions.as_of_date)

),

spells as (

    select * from months
    where previous_star_tier is null or previous_star_tier <> star_tier

)

select
    customer_key,
    star_tier,
    previous_star_tier,
    -- an average over days before there was money to see is lower than the customer's, and nobody has moved since
    coalesce(is_after_full_average, false) as is_move,
    as_of_date as valid_from,
    lead(as_of_date) over (partition by customer_key order by as_of_date) as valid_to
from spells
