-- Nodes of the payment network, from ml_jobs/derived/network.py.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'network') }}

),

renamed as (

    select
        node_key,
        in_degree,
        out_degree,
        pagerank,
        component_key,
        component_size,
        community_key,
        community_size
    from source

)

select * from renamed
