-- Grain: product of the catalogue. What a year of money in it earns the bank, by the seed transfer_prices.
with products as (

    select * from {{ ref('stg_reference__products') }}

),

prices as (

    select * from {{ ref('transfer_prices') }}
    where currency = '{{ var("currency") }}'

),

priced as (

    select
        products.product_code,
        products.product_family,
        products.term_days,
        products.interest_rate,
        prices.transfer_rate,
        prices.fee_rate,
        coalesce(prices.sale_fee_rate, 0) as sale_fee_rate,
        row_number() over (
            partition by products.product_code order by prices.minimum_term_days desc
        ) as place
    from products
    left join prices
        on products.product_family = prices.product_family
            and prices.minimum_term_days <= coalesce(products.term_days, 0)

)

select
    product_code,
    product_family,
    term_days,
    interest_rate,
    transfer_rate,
    fee_rate,
    sale_fee_rate,
    coalesce(transfer_rate - coalesce(interest_rate, 0), 0) + coalesce(fee_rate, 0) as margin_rate
from priced
where place = 1
