-- Spells in one life-cycle stage, as seen at month-ends and on the business date, with the reason at their first.
with months as (
    select
        customer_key, as_of_date, life_cycle_stage, life_cycle_reason, lag(life_cycle_stage) over by_month as previous_life_cycle_stage
    from positions
    window by_month as (partition by customer_key order by as_of_date)
)
select
    customer_key,
    life_cycle_stage,
    previous_life_cycle_stage,
    as_of_date as valid_from,
    lead(as_of_date) over (partition by customer_key order by as_of_date) as valid_to,
    life_cycle_reason as reason_code
from months
where life_cycle_stage is distinct from previous_life_cycle_stage
