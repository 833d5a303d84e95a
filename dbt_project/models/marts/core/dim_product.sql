with products as (

    select * from {{ ref('stg_reference__products') }}

)

select
    product_code,
    product_name,
    product_family,
    case
        when product_family in ('current', 'savings', 'fixed_deposit', 'step_up_deposit', 'structured_deposit')
            then 'deposit'
        when product_family in ('loan', 'card') then product_family
        else 'investment'
    end as product_class,
    risk_rating,
    minimum_amount,
    term_days,
    interest_rate
from products
