-- How stable the segments are, from the card of their model.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'segment_stability') }}

),

renamed as (

    select
        as_of_date,
        customer_count,
        stayed_rate,
        refit_rand,
        refit_rand_low,
        refit_rand_high,
        customers_rand,
        customers_rand_low,
        customers_rand_high
    from source

)

select * from renamed
