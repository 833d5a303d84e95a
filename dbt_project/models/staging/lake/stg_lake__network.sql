-- Nodes of the payment network, from c360/network.
-- Written by `python -m c360.staging_sources`: change the contract in feeds/, or that module, not this file.
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
