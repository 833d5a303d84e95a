-- A customer on every day on which one of the records changed, until the next such day. Every attribute of every record is a vote
-- with the priority that customer_attributes gives its source; the best vote wins, of equal ones that of the record told last, but of days
-- of opening the earliest. A day on which nothing comes out differently is no new version.
with records as (
    select
        'cif:' || customer_no as party_key, 1 as source, business_date, party_type, gender, year(birth_date) as birth_year, city,
        occupation, monthly_income as monthly_income_amount, risk_rating, home_branch_code, opened_date, is_marketing_opt_out,
        'cif:' || owner_customer_no as owner_party_key,
        phone, email, id_no, known_date, delivery, row
    from customers
    union all by name
    select
        'online:' || user_id as party_key, 2 as source, business_date, 'P' as party_type, year(birth_date) as birth_year, city,
        cast(registered_at as date) as opened_date, is_marketing_opt_out, phone, email, id_no, known_date, delivery, row
    from registrations
    union all by name
    select
        'lead:' || lead_id as party_key, 3 as source, business_date, 'P' as party_type, city,
        cast(captured_at as date) as opened_date, phone, known_date, delivery, row
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
votes as (
    unpivot (
        select
            customer_key,
            day,
            source,
            business_date,
            first_known_date,
            party_key,
            cast(party_type as varchar) as party_type,
            cast(gender as varchar) as gender,
            cast(birth_year as varchar) as birth_year,
            cast(city as varchar) as city,
            cast(occupation as varchar) as occupation,
            cast(monthly_income_amount as varchar) as monthly_income_amount,
            cast(risk_rating as varchar) as risk_rating,
            cast(home_branch_code as varchar) as home_branch_code,
            cast(opened_date as varchar) as opened_date,
            cast(owner_party_key as varchar) as owner_party_key,
            if(phone is null, null, 'known') as has_phone,
            if(email is null, null, 'known') as has_email,
            if(id_no is null, null, 'known') as has_identity_document
        from then_true
    ) on columns(* exclude (customer_key, day, source, business_date, first_known_date, party_key)) into name attribute value word
),
won as (
    select customer_key, day, attribute, word
    from votes
    join customer_attributes using (attribute)
    where [branch_priority, online_priority, lead_priority][source] is not null
    qualify row_number() over (
        partition by customer_key, day, attribute
        order by
            [branch_priority, online_priority, lead_priority][source],
            if(attribute = 'opened_date', word, null), business_date desc, first_known_date, party_key
    ) = 1
),
winners as (select customer_key, day, map(list(attribute order by attribute), list(word order by attribute)) as words from won group by all),
completeness as (
    select
        customer_key,
        day,
        sum(if(words['party_type'] = 'P', person_weight, enterprise_weight) * if(map_contains(words, attribute), 1, 0))
        / sum(if(words['party_type'] = 'P', person_weight, enterprise_weight)) as completeness_rate
    from winners cross join customer_attributes
    group by all
),
firsts as (
    select
        *,
        bool_or(coalesce(is_marketing_opt_out, false)) over (partition by customer_key, day) as has_opted_out,
        count(*) over (partition by customer_key, day) as party_count
    from then_true
    qualify row_number() over (partition by customer_key, day order by source, first_known_date, party_key) = 1
),
summed_up as (
    select *, row(words, party_key, has_opted_out, party_count) as summary
    from firsts join winners using (customer_key, day)
),
changes as (
    from summed_up
    qualify summary is distinct from lag(summary) over (partition by customer_key order by day)
)
select
    customer_key,
    day as valid_from,
    lead(day) over spells as valid_to,
    lead(day) over spells is null as is_current,
    party_key as leading_party_key,
    cast(words['party_type'] as varchar) as party_type,
    cast(words['gender'] as varchar) as gender,
    cast(words['birth_year'] as integer) as birth_year,
    cast(words['city'] as varchar) as city,
    cast(words['occupation'] as varchar) as occupation,
    cast(words['monthly_income_amount'] as decimal(18, 2)) as monthly_income_amount,
    cast(words['risk_rating'] as varchar) as risk_rating,
    cast(words['home_branch_code'] as varchar) as home_branch_code,
    cast(words['opened_date'] as date) as opened_date,
    cast(words['owner_party_key'] as varchar) as owner_party_key,
    map_contains(words, 'has_phone') as has_phone,
    map_contains(words, 'has_email') as has_email,
    map_contains(words, 'has_identity_document') as has_identity_document,
    has_opted_out as is_marketing_opt_out,
    party_count,
    completeness_rate
from changes
join completeness using (customer_key, day)
window spells as (partition by customer_key order by day)
