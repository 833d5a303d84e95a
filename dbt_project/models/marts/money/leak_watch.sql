select
    branch_code,
    party_type,
    star_tier,
    as_of_date,
    cast(count(*) as bigint) as customer_count,
    cast(sum(case when leak_30d_amount > 0 then 1 else 0 end) as bigint) as leaking_count,
    cast(sum(fund_30d_amount) as decimal(38, 2)) as fund_30d_amount,
    cast(sum(wallet_30d_amount) as decimal(38, 2)) as wallet_30d_amount,
    cast(sum(leak_30d_amount) as decimal(38, 2)) as leak_30d_amount,
    cast(sum(previous_30d_amount) as decimal(38, 2)) as previous_30d_amount,
    cast(sum(deposit_amount) as decimal(38, 2)) as deposit_amount,
    cast(sum(available_30d_amount) as decimal(38, 2)) as available_30d_amount,
    {{ share_of('sum(leak_30d_amount)', 'sum(available_30d_amount)') }} as leak_rate
from {{ ref('int_money__leaks') }}
group by branch_code, party_type, star_tier, as_of_date
