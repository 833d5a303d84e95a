{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='as_of_date', whole_months=true,
    on_schema_change='fail'
) }}
-- Grain: party and as-of date (month-ends, and the business date): what the postings of 90 days earned the bank.
with as_of_dates as (

    select date_day as as_of_date
    from {{ ref('int_calendar__days') }}
    where {{ months_of_run('date_day') }}
        and (is_month_end or date_day = {{ date_literal(var('business_date')) }})

),

rates as (

    select * from {{ ref('contribution_rates') }}
    where basis = 'posting'

),

earned as (

    select
        postings.party_key,
        postings.business_date,
        sum(-postings.signed_amount * rates.contribution_rate) as contribution_amount
    from {{ ref('fct_transactions') }} as postings
    inner join rates on postings.txn_type = rates.kind
    where postings.business_date > {{ days_before(date_literal(month_start(var('from_date'))), 90) }}
        and postings.business_date <= {{ date_literal(var('business_date')) }}
        and postings.party_key is not null
    group by postings.party_key, postings.business_date

)

select
    earned.party_key,
    as_of_dates.as_of_date,
    cast(sum(earned.contribution_amount) as decimal(38, 6)) as contribution_amount
from earned
inner join as_of_dates
    on earned.business_date <= as_of_dates.as_of_date
        and earned.business_date > {{ days_before('as_of_dates.as_of_date', 90) }}
group by earned.party_key, as_of_dates.as_of_date
