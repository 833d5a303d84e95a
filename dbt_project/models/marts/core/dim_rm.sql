{%- set business_date = date_literal(var('business_date')) %}
with managers as (

    select * from {{ ref('stg_reference__relationship_managers') }}

),

assignments as (

    select * from {{ ref('rm_assignment') }}

),

-- whoever is named anywhere has a row, also one of whom the reference feed does not tell
numbers as (

    select rm_id from managers
    union
    select rm_id from assignments
    union
    select rm_id from {{ ref('fct_contacts') }}
    where rm_id is not null

),

customers as (

    select
        assignments.rm_id,
        count(distinct positions.customer_key) as customer_count,
        sum(positions.aum_amount) as aum_amount
    from (select distinct rm_id, customer_key from assignments where is_current) as assignments
    inner join {{ ref('int_customer__positions_monthly') }} as positions
        on assignments.customer_key = positions.customer_key and positions.as_of_date = {{ business_date }}
    group by assignments.rm_id

)

select
    numbers.rm_id,
    managers.branch_code,
    managers.joined_date,
    managers.left_date,
    managers.rm_id is not null
    and coalesce(managers.joined_date <= {{ business_date }}, true)
    and coalesce(managers.left_date >= {{ business_date }}, true) as is_active,
    cast(coalesce(customers.customer_count, 0) as bigint) as customer_count,
    cast(coalesce(customers.aum_amount, 0) as decimal(38, 2)) as aum_amount
from numbers
left join managers on numbers.rm_id = managers.rm_id
left join customers on numbers.rm_id = customers.rm_id
