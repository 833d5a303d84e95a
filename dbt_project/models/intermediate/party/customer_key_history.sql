{{ config(schema='pii') }}
-- Grain: party record and day on which it changed its customer. A record that gives up its own key was merged into
-- another customer; one that takes its own key back was split off; any other moved with its customer.
with spells as (

    select
        party_key,
        customer_key,
        rule,
        match_weight,
        valid_from,
        lag(customer_key) over (partition by party_key order by valid_from) as previous_customer_key
    from {{ ref('customer_xref') }}

)

select
    party_key,
    valid_from as changed_date,
    previous_customer_key,
    customer_key,
    cast(
        case
            when previous_customer_key = party_key then 'merged'
            when customer_key = party_key then 'split'
            else 'moved'
        end as varchar
    ) as change,
    rule,
    match_weight
from spells
where previous_customer_key <> customer_key
