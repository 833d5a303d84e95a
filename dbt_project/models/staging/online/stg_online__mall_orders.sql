-- Orders in the bank's shopping mall. Current rows only.
with versions as (

    select * from {{ ref('stg_online__mall_orders_versions') }}

)

select * from versions
where _superseded_date is null
