{{ config(tags=['serving']) }}
with figures as (

    select * from {{ ref('stg_lake__network') }}

),

sides as (

    select
        payer_key as node_key,
        payment_amount as out_amount,
        0 as in_amount
    from {{ ref('fund_chain_edges') }}

    union all

    select
        payee_key as node_key,
        0 as out_amount,
        payment_amount as in_amount
    from {{ ref('fund_chain_edges') }}

),

amounts as (

    select
        node_key,
        sum(in_amount) as in_amount,
        sum(out_amount) as out_amount
    from sides
    group by node_key

)

select
    figures.node_key,
    cast(case when figures.node_key like 'outside:%' then 'outside' else 'customer' end as varchar) as node_type,
    figures.in_degree,
    figures.out_degree,
    cast(amounts.in_amount as decimal(38, 2)) as in_amount,
    cast(amounts.out_amount as decimal(38, 2)) as out_amount,
    figures.pagerank,
    figures.component_key,
    figures.component_size,
    figures.community_key,
    figures.community_size
from figures
inner join amounts on figures.node_key = amounts.node_key
