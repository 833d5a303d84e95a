with days as (

    select
        account_no,
        business_date,
        sum(signed_amount) as net_amount,
        count(*) as txn_count
    from {{ ref('fct_transactions') }}
    group by account_no, business_date

)

select
    account_no,
    business_date,
    txn_count,
    net_amount,
    sum(net_amount) over (partition by account_no order by business_date) as balance_amount
from days
