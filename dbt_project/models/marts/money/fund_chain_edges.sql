with links as (

    select * from {{ ref('int_party__customers') }}

),

payments as (

    select
        coalesce(payers.customer_key, months.payer_party_key) as payer_key,
        coalesce(payees.customer_key, months.payee_party_key) as payee_key,
        months.*,
        cast(
            power(
                cast(0.5 as double precision),
                {{ months_between('months.month_date', date_literal(var('business_date'))) }}
                / cast({{ limit('money_thresholds', 'recency_half_life_months') }} as double precision)
            ) as decimal(12, 8)
        ) as recency_weight
    from {{ ref('fund_chain_monthly') }} as months
    left join links as payers on months.payer_party_key = payers.party_key
    left join links as payees on months.payee_party_key = payees.party_key

),

edges as (

    select
        payer_key,
        payee_key,
        sum(payment_count) as payment_count,
        sum(payment_amount) as payment_amount,
        sum(salary_amount) as salary_amount,
        sum(purchase_amount) as purchase_amount,
        round(sum(cast(payment_amount as decimal(20, 2)) * recency_weight), 2) as recent_amount,
        min(first_date) as first_date,
        max(last_date) as last_date
    from payments
    where payer_key <> payee_key
    group by payer_key, payee_key

),

shared as (

    select
        *,
        {{ share_of('recent_amount', 'sum(recent_amount) over (partition by payer_key)') }} as payer_share,
        {{ share_of('recent_amount', 'sum(recent_amount) over (partition by payee_key)') }} as payee_share,
        row_number() over (partition by payer_key order by recent_amount desc, payee_key) as payee_rank,
        row_number() over (partition by payee_key order by recent_amount desc, payer_key) as payer_rank
    from edges

)

select
    payer_key,
    payee_key,
    cast(case when payer_key like 'outside:%' then 'outside' else 'customer' end as varchar) as payer_type,
    cast(case when payee_key like 'outside:%' then 'outside' else 'customer' end as varchar) as payee_type,
    cast(
        case
            when salary_amount * 2 > payment_amount then 'salary'
            when purchase_amount * 2 > payment_amount then 'purchase'
            else 'transfer'
        end as varchar
    ) as relation,
    cast(payment_count as bigint) as payment_count,
    cast(payment_amount as decimal(38, 2)) as payment_amount,
    cast(recent_amount as decimal(38, 2)) as recent_amount,
    first_date,
    last_date,
    payer_share,
    payee_share,
    cast(payee_rank as integer) as payee_rank,
    cast(payer_rank as integer) as payer_rank
from shared
