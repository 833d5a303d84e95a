select
    rate_code,
    rate_date,
    rate
from {{ ref('stg_reference__market_rates') }}
