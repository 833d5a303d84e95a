-- noqa: disable=LT02
{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='ripe_date', on_schema_change='fail',
    meta={'partition_by': 'as_of_date'},
) }}

{% set is_after = '(days.business_date > ripe_dates.as_of_date)' %}
{% set is_late = '(days.business_date > ' ~ features_days_before('ripe_dates.ripe_date', 60) ~ ')' %}
{% set low_runway_days = limit('money_thresholds', 'low_runway_days') %}

-- whose money lasts at the month-end, as fund_chain_runway counts it
with enterprises as (
    select customer_key, as_of_date
    from {{ ref('customer_features') }}
    where is_enterprise > 0
        and deposit_account_count > 0
        and (
            reserve_days is null
            or inflow_cover_rate_90d >= 1
            or reserve_days >= {{ low_runway_days }} * (1 - coalesce(inflow_cover_rate_90d, 0))
        )
),

identity as (
    select * from {{ ref('int_party__customers_known_on_ripe_dates') }}
),

accounts as (
    select * from {{ ref('int_account__known_on_ripe_dates') }}
),

outcomes as (
    select * from {{ ref('int_customer__outcomes_known_on_ripe_dates') }}
    where not has_left
),

ripe_dates as (
    select as_of_date, ripe_date
    from outcomes
    group by as_of_date, ripe_date
),

-- by the identity of the ripe date
judged as (
    select
        enterprises.customer_key,
        enterprises.as_of_date,
        outcomes.ripe_date,
        outcomes.deposit_after_amount,
        identity.customer_key as known_customer_key
    from enterprises
    inner join outcomes
        on enterprises.customer_key = outcomes.customer_key and enterprises.as_of_date = outcomes.as_of_date
    inner join identity
        on outcomes.ripe_date = identity.ripe_date and enterprises.customer_key = identity.party_key
),

own_accounts as (
    select
        accounts.ripe_date,
        accounts.account_no_token,
        accounts.customer_key
    from accounts
    inner join (select distinct ripe_date, known_customer_key from judged) as owners
        on accounts.ripe_date = owners.ripe_date and accounts.customer_key = owners.known_customer_key
),

flows as (
    select
        own_accounts.ripe_date,
        own_accounts.customer_key,
        sum(
            case
                when {{ is_after }} then days.inflow_amount - days.bank_inflow_amount + days.unnamed_inflow_amount
                else 0
            end
        ) as inflow_amount,
        sum(case when {{ is_after }} then days.outflow_amount + days.unnamed_outflow_amount else 0 end)
            as outflow_amount,
        sum(
            case
                when {{ is_after }} then 0
                else days.inflow_amount - days.bank_inflow_amount + days.unnamed_inflow_amount
            end
        ) as inflow_before_amount
    from {{ ref('int_account__flow_days_bitemporal') }} as days
    inner join ripe_dates
        on days.business_date > {{ features_days_before('ripe_dates.as_of_date', 90) }}
            and days.business_date <= ripe_dates.ripe_date
            and days.known_date <= ripe_dates.ripe_date
            and (days.superseded_date is null or days.superseded_date > ripe_dates.ripe_date)
    inner join own_accounts
        on ripe_dates.ripe_date = own_accounts.ripe_date and days.account_no_token = own_accounts.account_no_token
    group by own_accounts.ripe_date, own_accounts.customer_key
),

-- of others, by account: before the month-end, after it, and lately
counterparties as (
    select
        own_accounts.ripe_date,
        own_accounts.customer_key,
        days.counterparty_account_token,
        sum(case when {{ is_after }} and days.direction = 'C' then days.within_amount else 0 end)
            as within_inflow_amount,
        sum(case when {{ is_after }} and days.direction = 'D' then days.within_amount else 0 end)
            as within_outflow_amount,
        sum(case when not {{ is_after }} and days.direction = 'C' then days.within_amount else 0 end)
            as within_before_amount,
        sum(case when not {{ is_after }} and days.direction = 'C' then days.amount else 0 end) as amount_before,
        count(distinct case when not {{ is_after }} and days.direction = 'C' then days.business_date end)
            as payment_days_before,
        sum(case when {{ is_late }} and days.direction = 'C' then days.amount else 0 end) as amount_lately
    from {{ ref('int_account__counterparty_days_bitemporal') }} as days
    inner join ripe_dates
        on days.business_date > {{ features_days_before('ripe_dates.as_of_date', 90) }}
            and days.business_date <= ripe_dates.ripe_date
            and days.known_date <= ripe_dates.ripe_date
            and (days.superseded_date is null or days.superseded_date > ripe_dates.ripe_date)
    inner join own_accounts
        on ripe_dates.ripe_date = own_accounts.ripe_date and days.account_no_token = own_accounts.account_no_token
    left join accounts as others
        on ripe_dates.ripe_date = others.ripe_date and days.counterparty_in_bank_token = others.account_no_token
    where others.customer_key is null or others.customer_key <> own_accounts.customer_key
    group by own_accounts.ripe_date, own_accounts.customer_key, days.counterparty_account_token
),

chains as (
    select
        ripe_date,
        customer_key,
        sum(within_inflow_amount) as inflow_amount,
        sum(within_outflow_amount) as outflow_amount,
        sum(within_before_amount) as inflow_before_amount,
        max(case when place = 1 then amount_before end) as main_amount_before,
        max(
            case
                when place = 1 and amount_lately = 0
                    and payment_days_before >= {{ limit('money_thresholds', 'expected_months') }}
                    then 1
                else 0
            end
        ) as is_main_payer_silent
    from (
        select
            *,
            row_number() over (
                partition by ripe_date, customer_key order by amount_before desc, counterparty_account_token
            ) as place
        from counterparties
    ) as placed
    group by ripe_date, customer_key
),

measured as (
    select
        judged.customer_key,
        judged.as_of_date,
        judged.ripe_date,
        {{ days_lasting(
            'judged.deposit_after_amount',
            '(coalesce(flows.outflow_amount, 0) + coalesce(chains.outflow_amount, 0)'
            ~ ' - coalesce(flows.inflow_amount, 0) - coalesce(chains.inflow_amount, 0))',
        ) }} as runway_days,
        coalesce(chains.is_main_payer_silent, 0) = 1
        and chains.main_amount_before
        >= {{ limit('money_thresholds', 'broken_share') }}
        * (coalesce(flows.inflow_before_amount, 0) + chains.inflow_before_amount)
            as is_main_inflow_broken
    from judged
    left join flows on judged.ripe_date = flows.ripe_date and judged.known_customer_key = flows.customer_key
    left join chains on judged.ripe_date = chains.ripe_date and judged.known_customer_key = chains.customer_key
)

select
    customer_key,
    as_of_date,
    cast(90 as integer) as horizon_days,
    ripe_date,
    cast(case when runway_days < {{ low_runway_days }} or is_main_inflow_broken then 1 else 0 end as integer) as label
from measured
