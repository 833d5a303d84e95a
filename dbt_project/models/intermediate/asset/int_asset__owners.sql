-- Grain: asset. Who owns it today, and since when it has been there.
with accounts as (

    select * from {{ ref('int_account__accounts') }}

),

holdings as (

    select
        *,
        row_number() over (partition by holding_id order by business_date desc) as recency
    from {{ ref('stg_branch__holdings') }}

),

links as (

    select * from {{ ref('int_party__customers') }}

),

products as (

    select * from {{ ref('stg_reference__products') }}

)

select
    'deposit' as asset_class,
    account_no_token as asset_id,
    customer_key,
    product_family,
    opened_date,
    closed_date
from accounts
where customer_key is not null
    and coalesce(product_family, '') not in ('loan', 'card')

union all

select
    'investment' as asset_class,
    holdings.holding_id as asset_id,
    links.customer_key,
    products.product_family,
    holdings.start_date as opened_date,
    case when holdings.market_value = 0 then holdings.business_date end as closed_date
from holdings
inner join links on holdings.party_key = links.party_key
left join products on holdings.product_code = products.product_code
where holdings.recency = 1
