{{ config(materialized='ephemeral') }}
-- Grain: customer and day of a complaint that is the first in a long time.
with complaints as (

    select
        links.customer_key,
        contacts.business_date,
        lag(contacts.business_date) over (
            partition by links.customer_key order by contacts.business_date, contacts.contact_id
        ) as previous_date
    from {{ ref('fct_contacts') }} as contacts
    inner join {{ ref('int_party__customers') }} as links on contacts.party_key = links.party_key
    where contacts.contact_kind = 'complaint'
        and contacts.business_date > {{ change_lookback(366) }}
        and contacts.business_date <= {{ date_literal(var('business_date')) }}

),

limits as (

    select * from {{ ref('int_customer__change_limits') }}
    where change_kind = 'first_complaint'

)

select
    complaints.customer_key,
    'first_complaint' as change_kind,
    'complaint' as change_detail,
    complaints.business_date as change_date,
    limits.segment,
    cast(null as decimal(38, 2)) as amount,
    cast(null as decimal(38, 2)) as previous_amount,
    cast(null as integer) as change_count,
    cast(null as integer) as previous_count,
    complaints.business_date as event_date
from complaints
inner join limits on complaints.customer_key = limits.customer_key
where complaints.previous_date is null
    or {{ days_between('complaints.previous_date', 'complaints.business_date') }} > limits.days
