-- A customer on every day on which one of the records changed: the branch speaks before the online record and the lead, and
-- within a source the record known first; the spell lasts until the next such day.
with records as (
    select
        'cif:' || customer_no as party_key, 1 as source, business_date, party_type, gender, year(birth_date) as birth_year, city,
        occupation, monthly_income, risk_rating, home_branch_code, opened_date, is_marketing_opt_out,
        'cif:' || owner_customer_no as owner_party_key, known_date, delivery, row
    from customers
    union all by name
    select
        'online:' || user_id as party_key, 2 as source, business_date, 'P' as party_type, year(birth_date) as birth_year, city,
        cast(registered_at as date) as opened_date, is_marketing_opt_out, known_date, delivery, row
    from registrations
    union all by name
    select
        'lead:' || lead_id as party_key, 3 as source, business_date, 'P' as party_type, city,
        cast(captured_at as date) as opened_date, known_date, delivery, row
    from social_leads
),
told as (
    from records
    qualify row_number() over (partition by party_key, business_date order by known_date desc, delivery desc, row desc) = 1
),
days as (select distinct customer_key, business_date as day from told join links using (party_key)),
then_true as (
    select days.customer_key, days.day, told.*, links.first_known_date
    from days
    join links using (customer_key)
    join told on told.party_key = links.party_key and told.business_date <= days.day
    qualify row_number() over (partition by days.customer_key, days.day, told.party_key order by told.business_date desc) = 1
),
firsts as (
    select
        *,
        bool_or(coalesce(is_marketing_opt_out, false)) over (partition by customer_key, day) as has_opted_out,
        count(*) over (partition by customer_key, day) as party_count
    from then_true
    qualify row_number() over (partition by customer_key, day order by source, first_known_date, party_key) = 1
)
select
    customer_key,
    day as valid_from,
    lead(day) over spells as valid_to,
    lead(day) over spells is null as is_current,
    party_key as leading_party_key,
    party_type,
    gender,
    birth_year,
    city,
    occupation,
    monthly_income as monthly_income_amount,
    risk_rating,
    home_branch_code,
    opened_date,
    has_opted_out as is_marketing_opt_out,
    owner_party_key,
    party_count
from firsts
window spells as (partition by customer_key order by day)
