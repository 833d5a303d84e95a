with months as (

    select
        customer_key,
        as_of_date,
        star_tier,
        lag(star_tier) over (partition by customer_key order by as_of_date) as previous_star_tier
    from {{ ref('customer_360_monthly') }}

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
