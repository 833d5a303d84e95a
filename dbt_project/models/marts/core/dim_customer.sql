-- A customer's records tell different things: the branch's record leads, then the online one, then the lead; within a source
-- the one known first. Asking one source not to be contacted counts for all.
with records as (

    select * from {{ ref('int_party__records') }}

),

links as (

    select * from {{ ref('int_party__customers') }}

),

spells as (

    select
        links.customer_key,
        links.first_known_date,
        records.*,
        lead(records.business_date) over (partition by records.party_key order by records.business_date) as next_date
    from records
    inner join links on records.party_key = links.party_key

),

change_dates as (

    select distinct
        customer_key,
        business_date
    from spells

),

tellings as (

    select
        change_dates.customer_key,
        change_dates.business_date as valid_from,
        spells.party_key,
        spells.party_type,
        spells.gender,
        spells.birth_year,
        spells.city,
        spells.occupation,
        spells.monthly_income_amount,
        spells.risk_rating,
        spells.home_branch_code,
        spells.opened_date,
        spells.owner_party_key,
        row_number() over (
            partition by change_dates.customer_key, change_dates.business_date
            order by spells.source_rank, spells.first_known_date, spells.party_key
        ) as place,
        max(case when spells.is_marketing_opt_out then 1 else 0 end) over (
            partition by change_dates.customer_key, change_dates.business_date
        ) as opt_outs,
        count(*) over (partition by change_dates.customer_key, change_dates.business_date) as party_count
    from change_dates
    inner join spells
        on change_dates.customer_key = spells.customer_key
            and change_dates.business_date >= spells.business_date
            and (change_dates.business_date < spells.next_date or spells.next_date is null)

),

versions as (

    select
        *,
        lead(valid_from) over (partition by customer_key order by valid_from) as valid_to
    from tellings
    where place = 1

)

select
    customer_key,
    valid_from,
    valid_to,
    valid_to is null as is_current,
    party_key as leading_party_key,
    party_type,
    gender,
    birth_year,
    city,
    occupation,
    monthly_income_amount,
    risk_rating,
    home_branch_code,
    opened_date,
    opt_outs = 1 as is_marketing_opt_out,
    owner_party_key,
    cast(party_count as integer) as party_count
from versions
