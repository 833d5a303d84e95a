with shared as (

    select
        customer_key,
        authorised_customer_key,
        count(*) as account_count
    from {{ ref('dim_account') }}
    where authorised_customer_key <> customer_key
        and status <> 'closed'
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
