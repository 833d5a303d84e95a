-- Spells in one tier, as seen at month-ends and on the business date.
with months as (
    select customer_key, as_of_date, star_tier, lag(star_tier) over by_month as previous_star_tier
    from positions
    window by_month as (partition by customer_key order by as_of_date)
)
select
    customer_key,
    star_tier,
    previous_star_tier,
    as_of_date as valid_from,
    lead(as_of_date) over (partition by customer_key order by as_of_date) as valid_to
from months
where star_tier is distinct from previous_star_tier
