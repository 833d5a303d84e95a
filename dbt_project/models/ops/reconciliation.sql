with breaks as (
    select * from {{ ref('balance_breaks') }}
),

explained as (
    select
        business_date,
        coalesce(explanation, 'unexplained') as explanation,
        break_amount
    from breaks
)

select
    business_date,
    cast(explanation as varchar) as explanation,
    cast(count(*) as bigint) as account_count,
    cast(sum(abs(break_amount)) as decimal(38, 2)) as break_amount
from explained
group by business_date, explanation
