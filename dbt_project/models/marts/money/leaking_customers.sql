select
    customer_key,
    as_of_date,
    branch_code,
    party_type,
    star_tier,
    fund_30d_amount,
    wallet_30d_amount,
    leak_30d_amount,
    previous_30d_amount,
    deposit_amount,
    available_30d_amount,
    {{ share_of('leak_30d_amount', 'available_30d_amount') }} as leak_rate
from {{ ref('int_money__leaks') }}
where leak_30d_amount > 0
