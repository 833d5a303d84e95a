select customer_key from {{ ref('spells') }}
