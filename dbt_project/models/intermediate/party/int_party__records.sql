-- Grain: party record and day on which it changed, as last told; persons, enterprises, online users and leads alike,
-- without names, numbers and addresses.
with customers as (

    {{ last_known(ref('stg_branch__customers'), ['customer_no', 'business_date']) }}

),

registrations as (

    {{ last_known(ref('stg_online__registrations'), ['user_id', 'business_date']) }}

),

leads as (

    {{ last_known(ref('stg_online__social_leads'), ['lead_id', 'business_date']) }}

)

select
    party_key,
    1 as source_rank,
    business_date,
    _known_date as known_date,
    party_type,
    gender,
    cast(extract(year from birth_date) as integer) as birth_year,
    city,
    occupation,
    monthly_income as monthly_income_amount,
    risk_rating,
    home_branch_code,
    opened_date,
    is_marketing_opt_out,
    cast('cif:' || owner_customer_no as varchar) as owner_party_key,
    phone_token is not null as has_phone,
    email_token is not null as has_email,
    id_no_token is not null as has_identity_document
from customers

union all

select
    party_key,
    2 as source_rank,
    business_date,
    _known_date as known_date,
    'P' as party_type,
    null as gender,
    cast(extract(year from birth_date) as integer) as birth_year,
    city,
    null as occupation,
    null as monthly_income_amount,
    null as risk_rating,
    null as home_branch_code,
    cast(registered_at as date) as opened_date,
    is_marketing_opt_out,
    null as owner_party_key,
    phone_token is not null as has_phone,
    email_token is not null as has_email,
    id_no_token is not null as has_identity_document
from registrations

union all

select
    party_key,
    3 as source_rank,
    business_date,
    _known_date as known_date,
    'P' as party_type,
    null as gender,
    null as birth_year,
    city,
    null as occupation,
    null as monthly_income_amount,
    null as risk_rating,
    null as home_branch_code,
    cast(captured_at as date) as opened_date,
    null as is_marketing_opt_out,
    null as owner_party_key,
    phone_token is not null as has_phone,
    false as has_email,
    false as has_identity_document
from leads
