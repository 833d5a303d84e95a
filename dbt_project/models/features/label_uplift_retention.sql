{{ config(materialized='view') }}

-- One row where two records of a customer were in the campaign; none where they were in different arms.
select
    as_of_customer_key as customer_key,
    as_of_date,
    cast(90 as integer) as horizon_days,
    max(ripe_date) as ripe_date,
    cast(max(case when has_left then 1 else 0 end) as integer) as label,
    cast(max(case when is_treated then 1 else 0 end) as integer) as is_treated
from {{ ref('action_assignments') }}
where action_kind = 'retention campaign' and as_of_customer_key is not null
group by as_of_customer_key, as_of_date
having max(case when is_treated then 1 else 0 end) = min(case when is_treated then 1 else 0 end)
