with breaks as (

    select * from {{ ref('int_money__balance_breaks') }}

)

select
    account_no_token,
    party_key,
    business_date,
    cast(balance_amount as decimal(38, 2)) as balance_amount,
    bank_balance_amount,
    cast(difference_amount as decimal(38, 2)) as difference_amount,
    cast(break_amount as decimal(38, 2)) as break_amount,
    cast(txn_count as bigint) as txn_count,
    cast(explanation as varchar) as explanation
from breaks
