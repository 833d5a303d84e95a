with states as (

    select
        *,
        row_number() over (partition by account_no_token order by business_date desc) as recency
    from {{ ref('int_account__states') }}

),

links as (

    select * from {{ ref('int_party__customers') }}

),

products as (

    select * from {{ ref('stg_reference__products') }}

)

select
    states.account_no_token,
    states.party_key,
    links.customer_key,
    authorised.customer_key as authorised_customer_key,
    states.product_code,
    products.product_family,
    states.branch_code,
    states.currency,
    states.interest_rate,
    states.opened_date,
    states.closed_date,
    states.maturity_date,
    states.status
from states
left join links on states.party_key = links.party_key
left join links as authorised on states.authorised_party_key = authorised.party_key
left join products on states.product_code = products.product_code
where states.recency = 1
