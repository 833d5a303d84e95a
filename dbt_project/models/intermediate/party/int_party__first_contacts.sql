-- Grain: lead, or online user who came without one: first contact with the bank, and whether a customer came of it.
with leads as (

    select
        party_key,
        source,
        interest,
        cost as cost_amount,
        business_date as contact_date,
        row_number() over (partition by party_key order by business_date, _known_date, _delivery, _row) as telling
    from {{ ref('stg_online__social_leads') }}
    where business_date <= {{ date_literal(var('business_date')) }}

),

registrations as (

    select
        party_key,
        platform as source,
        business_date as contact_date,
        lead_id,
        row_number() over (partition by party_key order by business_date, _known_date, _delivery, _row) as telling
    from {{ ref('stg_online__registrations') }}
    where business_date <= {{ date_literal(var('business_date')) }}

),

contacts as (

    select party_key, source, interest, cost_amount, contact_date
    from leads
    where telling = 1

    union all

    select party_key, source, null as interest, 0 as cost_amount, contact_date
    from registrations
    where telling = 1 and lead_id is null

)

select
    contacts.party_key,
    links.customer_key,
    contacts.source,
    contacts.interest,
    contacts.cost_amount,
    contacts.contact_date,
    positions.first_opened_date,
    row_number() over (partition by links.customer_key order by contacts.contact_date, contacts.party_key) = 1
        as is_first
from contacts
inner join {{ ref('int_party__customers') }} as links on contacts.party_key = links.party_key
inner join {{ ref('int_customer__position_today') }} as positions on links.customer_key = positions.customer_key
