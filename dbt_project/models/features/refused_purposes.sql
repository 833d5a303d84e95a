{{ config(
    materialized='incremental', incremental_strategy='replace_as_of_dates', on_schema_change='fail',
    meta={'partition_by': 'as_of_date'},
) }}

{% set dates = ref('int_calendar__as_of_dates') %}

with identity as (
    select * from {{ ref('int_party__customers_known_on_as_of_dates') }}
),

purposes as (
    select * from {{ ref('purposes') }}
    where is_refusable
),

ranked as (
    select
        dates.as_of_date,
        identity.customer_key,
        decisions.purpose,
        decisions.decision,
        decisions.effective_date,
        row_number() over (
            partition by dates.as_of_date, identity.customer_key, decisions.purpose
            order by
                decisions.effective_date desc, decisions.decided_at desc, decisions.business_date desc,
                decisions.decision_id desc, decisions._known_date desc, decisions._row desc
        ) as recency
    from {{ ref('stg_feedback__consents_versions') }} as decisions
    inner join {{ dates }} as dates
        on {{ is_known_on('decisions', 'dates.as_of_date') }}
            and decisions.business_date <= dates.as_of_date
            and decisions.effective_date <= dates.as_of_date
    inner join identity on dates.as_of_date = identity.as_of_date and decisions.party_key = identity.party_key
    inner join purposes on decisions.purpose = purposes.purpose
),

spoken as (
    select * from ranked
    where recency = 1
),

customers as (
    select distinct as_of_date, customer_key from identity
),

refused as (
    select as_of_date, customer_key, purpose, effective_date
    from spoken
    where decision = 'refused'

    union all

    -- of a purpose whose ground is consent, silence refuses, too
    select customers.as_of_date, customers.customer_key, purposes.purpose, cast(null as date) as effective_date
    from customers
    inner join purposes on purposes.legal_ground = 'consent'
    left join spoken
        on customers.as_of_date = spoken.as_of_date
            and customers.customer_key = spoken.customer_key
            and purposes.purpose = spoken.purpose
    where spoken.customer_key is null
)

select
    cast(customer_key as varchar) as customer_key,
    as_of_date,
    cast(purpose as varchar) as purpose,
    effective_date
from refused
