{%- set business_date = date_literal(var('business_date')) %}

with links as (

    select * from {{ ref('int_party__customers') }}

),

accounts as (

    select * from {{ ref('dim_account') }}

),

profiles as (

    select * from {{ ref('dim_customer') }}
    where is_current

),

positions as (

    select * from {{ ref('int_customer__positions_monthly') }}
    where as_of_date = {{ business_date }} and first_opened_date is not null

),

-- money that only changes places within the bank, or is borrowed from it, feeds nobody
flows as (

    select
        accounts.customer_key,
        sum(
            case
                when flows.direction = 'C' and flows.counterparty_class not in ('bank', 'loan_grant') then flows.amount
                else 0
            end
        )
            as inflow_amount,
        sum(case when flows.direction = 'D' then flows.amount else 0 end) as outflow_amount
    from {{ ref('account_flow_daily') }} as flows
    inner join accounts on flows.account_no_token = accounts.account_no_token
    where flows.business_date > {{ days_before(business_date, 90) }}
        and flows.counterparty_class not in ('opening', 'own_transfer', 'own_product', 'broker', 'outside_fund')
    group by accounts.customer_key

),

-- postings go by records: what two records of one customer pay each other has not left the customer
own_moves as (

    select
        owners.customer_key,
        sum(case when postings.direction = 'C' then postings.amount else 0 end) as inflow_amount,
        sum(case when postings.direction = 'D' then postings.amount else 0 end) as outflow_amount
    from {{ ref('fct_transactions') }} as postings
    inner join links as owners on postings.party_key = owners.party_key
    inner join links as counterparties
        on postings.counterparty_party_key = counterparties.party_key
            and owners.customer_key = counterparties.customer_key
    where postings.business_date > {{ days_before(business_date, 90) }}
        and postings.counterparty_class = 'other_customer'
    group by owners.customer_key

),

payers as (

    select
        payee_key as customer_key,
        count(*) as payer_count,
        max(case when payer_rank = 1 then payer_key end) as main_payer_key,
        max(case when payer_rank = 1 then payee_share end) as main_payer_share,
        sum(cast(payee_share * payee_share as decimal(12, 8))) as payer_concentration
    from {{ ref('fund_chain_edges') }}
    where payee_type = 'customer'
    group by payee_key

),

payer_months as (

    select
        coalesce(payers.customer_key, months.payer_party_key) as payer_key,
        payees.customer_key,
        months.month_date,
        sum(months.payment_count) as payment_count,
        sum(months.payment_amount) as payment_amount,
        min(months.first_date) as first_date,
        max(months.last_date) as last_date
    from {{ ref('fund_chain_monthly') }} as months
    inner join links as payees on months.payee_party_key = payees.party_key
    left join links as payers on months.payer_party_key = payers.party_key
    where months.month_date > {{ days_before(business_date, 365) }}
    group by coalesce(payers.customer_key, months.payer_party_key), payees.customer_key, months.month_date

),

rhythms as (

    select
        customer_key,
        payer_key,
        count(*) as month_count,
        {{ months_between('min(month_date)', 'max(month_date)') }} + 1 as span_months,
        sum(payment_amount) as payment_amount,
        max(last_date) as last_date,
        {{ days_between('min(first_date)', 'max(last_date)') }} as span_days,
        sum(payment_count) as payment_count
    from payer_months
    where payer_key <> customer_key
    group by customer_key, payer_key

),

expected as (

    select
        customer_key,
        payer_key,
        {{ average_amount('payment_amount', 'span_months') }} as monthly_amount,
        last_date,
        cast(
            floor(
                {{ limit('money_thresholds', 'late_factor') }} * span_days / (payment_count - 1)
                + {{ limit('money_thresholds', 'late_days') }}
            ) as integer
        ) as patient_days
    from rhythms
    where month_count >= {{ limit('money_thresholds', 'expected_months') }}
        and month_count >= {{ limit('money_thresholds', 'expected_share') }} * span_months
        and span_days <= {{ limit('money_thresholds', 'expected_gap_days') }} * (payment_count - 1)
        and {{ days_between('last_date', business_date) }} <= {{ limit('money_thresholds', 'forgotten_days') }}

),

-- the dearest break first
breaks as (

    select
        *,
        row_number() over (partition by customer_key order by is_broken desc, monthly_amount desc, payer_key) as place
    from (
        select
            *,
            {{ days_between('last_date', business_date) }} > patient_days as is_broken
        from expected
    ) as judged

),

inflows as (

    select
        customer_key,
        count(*) as expected_payer_count,
        sum(monthly_amount) as expected_amount,
        sum(case when is_broken then 1 else 0 end) as broken_payer_count,
        sum(case when is_broken then monthly_amount else 0 end) as broken_amount,
        max(case when is_broken and place = 1 then payer_key end) as broken_payer_key,
        max(case when is_broken and place = 1 then last_date end) as broken_last_date,
        max(case when is_broken and place = 1 then patient_days end) as broken_patient_days
    from breaks
    group by customer_key

),

measured as (

    select
        positions.customer_key,
        positions.as_of_date,
        profiles.party_type,
        positions.deposit_amount,
        positions.life_cycle_stage,
        cast(coalesce(flows.inflow_amount, 0) - coalesce(own_moves.inflow_amount, 0) as decimal(38, 2))
            as inflow_90d_amount,
        cast(coalesce(flows.outflow_amount, 0) - coalesce(own_moves.outflow_amount, 0) as decimal(38, 2))
            as outflow_90d_amount,
        payers.payer_count,
        payers.main_payer_key,
        payers.main_payer_share,
        payers.payer_concentration,
        inflows.expected_payer_count,
        cast(round(coalesce(inflows.expected_amount, 0), 2) as decimal(38, 2)) as expected_inflow_amount,
        inflows.broken_payer_count,
        cast(round(coalesce(inflows.broken_amount, 0), 2) as decimal(38, 2)) as broken_inflow_amount,
        inflows.broken_payer_key,
        inflows.broken_last_date,
        inflows.broken_patient_days
    from positions
    inner join profiles on positions.customer_key = profiles.customer_key
    left join flows on positions.customer_key = flows.customer_key
    left join own_moves on positions.customer_key = own_moves.customer_key
    left join payers on positions.customer_key = payers.customer_key
    left join inflows on positions.customer_key = inflows.customer_key

),

lasting as (

    select
        *,
        {{ share_of('inflow_90d_amount', 'outflow_90d_amount') }} as inflow_cover_rate,
        {{ days_lasting('deposit_amount', 'outflow_90d_amount') }} as reserve_days,
        {{ days_lasting('deposit_amount', 'outflow_90d_amount - inflow_90d_amount') }} as runway_days,
        -- by payers with a rhythm or others, who would make up for them
        cast(
            greatest(expected_inflow_amount, round(cast(inflow_90d_amount as decimal(20, 2)) / 3, 2)) as decimal(38, 2)
        ) as usual_inflow_amount
    from measured

)

select
    customer_key,
    as_of_date,
    party_type,
    deposit_amount,
    inflow_90d_amount,
    outflow_90d_amount,
    inflow_cover_rate,
    cast(reserve_days as integer) as reserve_days,
    cast(runway_days as integer) as runway_days,
    cast(coalesce(payer_count, 0) as bigint) as payer_count,
    main_payer_key,
    main_payer_share,
    cast(payer_concentration as double precision) as payer_concentration,
    cast(coalesce(expected_payer_count, 0) as bigint) as expected_payer_count,
    expected_inflow_amount,
    usual_inflow_amount,
    cast(coalesce(broken_payer_count, 0) as bigint) as broken_payer_count,
    broken_inflow_amount,
    broken_payer_key,
    broken_last_date,
    cast({{ dbt.dateadd('day', 'broken_patient_days + 1', 'broken_last_date') }} as date) as broken_since_date,
    cast(
        case
            when life_cycle_stage = 'lost' then 'left'
            when broken_inflow_amount > 0
                and broken_inflow_amount >= {{ limit('money_thresholds', 'broken_share') }} * usual_inflow_amount
                then 'inflow broken'
            when runway_days < {{ limit('money_thresholds', 'low_runway_days') }} then 'runs dry'
            when outflow_90d_amount = 0 and inflow_90d_amount = 0 then 'idle'
            -- a person's salary is one payer as a rule
            when party_type = 'E' and main_payer_share >= {{ limit('money_thresholds', 'one_payer_share') }}
                then 'one payer'
            else 'holds'
        end as varchar
    ) as chain_state
from lasting
