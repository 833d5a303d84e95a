{{ config(materialized='view') }}

-- One row where two records of a customer were in the campaign; none where they were in different arms.
select
    assignments.as_of_customer_key as customer_key,
    assignments.as_of_date,
    cast(90 as integer) as horizon_days,
    max(assignments.ripe_date) as ripe_date,
    cast(max(case when assignments.has_left then 1 else 0 end) as integer) as label,
    cast(max(case when assignments.is_treated then 1 else 0 end) as integer) as is_treated
from {{ ref('action_assignments') }} as assignments
inner join {{ ref('customer_features') }} as features
    on assignments.as_of_customer_key = features.customer_key and assignments.as_of_date = features.as_of_date
where assignments.action_kind = 'retention campaign'
group by assignments.as_of_customer_key, assignments.as_of_date
having max(case when assignments.is_treated then 1 else 0 end) = min(case when assignments.is_treated then 1 else 0 end)
