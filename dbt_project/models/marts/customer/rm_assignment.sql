with leavers as (

    select customer_key
    from {{ ref('int_customer__positions_monthly') }}
    where as_of_date = {{ date_literal(var('business_date')) }} and life_cycle_stage = 'lost'

),

assignments as (

    select * from {{ ref('stg_reference__rm_assignments') }}
    where valid_from <= {{ date_literal(var('business_date')) }}

),

managers as (

    select * from {{ ref('stg_reference__relationship_managers') }}

),

links as (

    select * from {{ ref('int_party__customers') }}

)

select
    links.customer_key,
    assignments.party_key,
    assignments.rm_id,
    lag(assignments.rm_id) over (partition by assignments.party_key order by assignments.valid_from, assignments.rm_id)
        as previous_rm_id,
    managers.branch_code,
    assignments.valid_from,
    -- the feed names the last day
    cast({{ dbt.dateadd('day', 1, 'assignments.valid_to') }} as date) as valid_to,
    coalesce(assignments.valid_to >= {{ date_literal(var('business_date')) }}, true)
    and leavers.customer_key is null as is_current,
    managers.left_date as rm_left_date
from assignments
inner join links on assignments.party_key = links.party_key
left join leavers on links.customer_key = leavers.customer_key
left join managers on assignments.rm_id = managers.rm_id
