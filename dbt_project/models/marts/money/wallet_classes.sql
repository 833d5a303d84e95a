select
    purpose,
    counterparty_class
from {{ ref('wallet_purposes') }}
