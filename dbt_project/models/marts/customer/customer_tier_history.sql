with months as (

    select
        customer_key,
        as_of_date,
        star_tier,
        lag(star_tier) over (partition by customer_key order by as_of_date) as previous_star_tier
    from {{ ref('int_customer__positions_monthly') }}
    where as_of_date = cast({{ dbt.last_day('as_of_date', 'month') }} as date)
        or as_of_date = {{ date_literal(var('business_date')) }}

),

moves as (

    select * from months
    where previous_star_tier is null or previous_star_tier <> star_tier

)

select
    customer_key,
    star_tier,
    previous_star_tier,
    as_of_date as valid_from,
    lead(as_of_date) over (partition by customer_key order by as_of_date) as valid_to
from moves
