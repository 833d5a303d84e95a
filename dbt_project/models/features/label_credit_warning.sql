{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='ripe_date', on_schema_change='fail',
    meta={'partition_by': 'as_of_date'},
) }}

{% set dates = ref('int_calendar__ripe_dates') %}

with borrowers as (
    select customer_key, as_of_date
    from {{ ref('customer_features') }}
    where performing_loan_count > 0
),

ripe_dates as (
    select * from {{ dates }}
),

identity as (
    select * from {{ ref('int_party__customers_known_on_ripe_dates') }}
),

loans as (
    {{ states_known_on(ref('stg_branch__loans_versions'), 'loan_no', dates, 'ripe_date') }}
),

repayments as (
    {{ states_known_on(ref('stg_branch__loan_repayments_versions'), 'repayment_id', dates, 'ripe_date') }}
),

-- an instalment whose thirtieth day past due lies within the horizon, and was reached unpaid
arrears as (
    select ripe_dates.ripe_date, identity.customer_key
    from repayments
    inner join ripe_dates on repayments.state_date = ripe_dates.ripe_date
    inner join loans on repayments.state_date = loans.state_date and repayments.loan_no = loans.loan_no
    inner join identity on loans.state_date = identity.ripe_date and loans.party_key = identity.party_key
    where loans.granted_date <= ripe_dates.as_of_date
        and repayments.due_date > {{ features_days_before('ripe_dates.as_of_date', 30) }}
        and repayments.due_date <= {{ features_days_before('ripe_dates.ripe_date', 30) }}
        and (
            repayments.days_past_due >= 30
            or {{ days_between('repayments.due_date', 'repayments.paid_date') }} >= 30
            or (repayments.paid_amount < repayments.due_amount and loans.status <> 'repaid')
        )
    group by ripe_dates.ripe_date, identity.customer_key
)

select
    borrowers.customer_key,
    borrowers.as_of_date,
    cast(90 as integer) as horizon_days,
    ripe_dates.ripe_date,
    cast(case when arrears.customer_key is null then 0 else 1 end as integer) as label
from borrowers
inner join ripe_dates on borrowers.as_of_date = ripe_dates.as_of_date
inner join identity
    on ripe_dates.ripe_date = identity.ripe_date and borrowers.customer_key = identity.party_key
left join arrears
    on identity.ripe_date = arrears.ripe_date and identity.customer_key = arrears.customer_key
