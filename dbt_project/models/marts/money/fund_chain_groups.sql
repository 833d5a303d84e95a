{{ config(tags=['serving']) }}
with nodes as (

    select * from {{ ref('fund_chain_nodes') }}

),

profiles as (

    select * from {{ ref('dim_customer') }}
    where is_current

),

members as (

    select
        nodes.community_key,
        sum(case when profiles.party_type = 'P' then 1 else 0 end) as person_count,
        sum(case when profiles.party_type = 'E' then 1 else 0 end) as enterprise_count,
        sum(case when nodes.node_type = 'outside' then 1 else 0 end) as outside_count
    from nodes
    left join profiles on nodes.node_key = profiles.customer_key
    group by nodes.community_key

),

payments as (

    select
        payers.community_key,
        sum(edges.payment_count) as payment_count,
        sum(edges.payment_amount) as payment_amount,
        sum(case when edges.relation = 'salary' then edges.payment_amount else 0 end) as salary_amount,
        sum(
            case
                when payer_profiles.party_type = 'E' and payee_profiles.party_type = 'E' then edges.payment_amount
                else 0
            end
        )
            as enterprise_amount,
        min(edges.first_date) as first_date,
        max(edges.last_date) as last_date
    from {{ ref('fund_chain_edges') }} as edges
    inner join nodes as payers on edges.payer_key = payers.node_key
    inner join nodes as payees on edges.payee_key = payees.node_key and payers.community_key = payees.community_key
    left join profiles as payer_profiles on edges.payer_key = payer_profiles.customer_key
    left join profiles as payee_profiles on edges.payee_key = payee_profiles.customer_key
    where edges.payer_type = 'customer' and edges.payee_type = 'customer'
    group by payers.community_key

)

select
    members.community_key,
    cast(
        case
            when members.enterprise_count = 0 then 'family or friends'
            when payments.salary_amount * 2 > payments.payment_amount then 'firm and staff'
            when payments.enterprise_amount * 2 > payments.payment_amount then 'suppliers'
            else 'firm and customers'
        end as varchar
    ) as group_kind,
    cast(members.person_count as bigint) as person_count,
    cast(members.enterprise_count as bigint) as enterprise_count,
    cast(members.outside_count as bigint) as outside_count,
    cast(payments.payment_count as bigint) as payment_count,
    cast(payments.payment_amount as decimal(38, 2)) as payment_amount,
    cast(payments.salary_amount as decimal(38, 2)) as salary_amount,
    payments.first_date,
    payments.last_date
from members
inner join payments on members.community_key = payments.community_key
