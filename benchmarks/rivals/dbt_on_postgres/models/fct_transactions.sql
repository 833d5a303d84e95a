select
    txn_id,
    account_no,
    cast(business_date as date) as business_date,
    txn_at,
    cast(amount as numeric(18, 2)) as amount,
    cast(case direction when 'C' then amount else -amount end as numeric(18, 2)) as signed_amount,
    direction,
    channel,
    txn_type,
    counterparty_account,
    counterparty_bank
from {{ source('landed', 'transactions') }}
