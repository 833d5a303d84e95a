with staying as (

    select customer_key
    from {{ ref('int_customer__positions_monthly') }}
    where as_of_date = {{ date_literal(var('business_date')) }} and life_cycle_stage <> 'lost'

),

shared as (

    select
        customer_key,
        authorised_customer_key,
        count(*) as account_count
    from {{ ref('dim_account') }}
    where authorised_customer_key <> customer_key
        and status <> 'closed'
        and customer_key in (select customer_key from staying)
        and authorised_customer_key in (select customer_key from staying)
    group by customer_key, authorised_customer_key

)

select
    customer_key,
    authorised_customer_key as related_customer_key,
    cast('lets use' as varchar) as relation,
    account_count
from shared
union all
select
    authorised_customer_key as customer_key,
    customer_key as related_customer_key,
    cast('may use' as varchar) as relation,
    account_count
from shared
