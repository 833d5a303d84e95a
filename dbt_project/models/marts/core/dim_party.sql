select
    party_key,
    customer_key,
    cast(case source_rank when 1 then 'branch' when 2 then 'online' else 'lead' end as varchar) as source,
    first_known_date,
    customer_since_date
from {{ ref('int_party__customers') }}
