-- Spells in one tier, as seen at month-ends and on the business date; a move is one from a tier of 90 days of money.
with months as (
    select customer_key, as_of_date, star_tier, lag(star_tier) over by_month as previous_star_tier,
        lag(as_of_date) over by_month as previous_date
    from positions
    window by_month as (partition by customer_key order by as_of_date)
),
opened as (
    select customer_key, min(opened) as first_opened_date from (
        select 'cif:' || customer_no as party_key, opened_date as opened from accounts
        union all select 'cif:' || customer_no, start_date from holdings
    ) join links using (party_key) group by all
)
select
    customer_key,
    star_tier,
    previous_star_tier,
    coalesce(
        previous_date - 89 >= greatest(first_opened_date, (select min(business_date) from transactions)), false
    ) as is_move,
    as_of_date as valid_from,
    lead(as_of_date) over (partition by customer_key order by as_of_date) as valid_to
from months left join opened using (customer_key)
where star_tier is distinct from previous_star_tier
