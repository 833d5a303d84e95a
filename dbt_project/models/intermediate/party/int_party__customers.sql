-- Grain: party record. Its customer today, and the day from which the customer is known.
with current_links as (

    select
        party_key,
        customer_key
    from {{ ref('customer_xref') }}
    where is_current

),

records as (

    select
        party_key,
        min(source_rank) as source_rank,
        min(known_date) as first_known_date
    from {{ ref('int_party__records') }}
    group by party_key

)

select
    current_links.party_key,
    current_links.customer_key,
    records.source_rank,
    records.first_known_date,
    min(records.first_known_date) over (partition by current_links.customer_key) as customer_since_date
from current_links
inner join records on current_links.party_key = records.party_key
