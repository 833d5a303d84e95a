-- Grain: account and spell with one owner. A spell begins with the first row that names the owner, never earlier,
-- so that a row that arrives later never changes facts before its own date.
with states as (

    select * from {{ ref('int_account__states') }}

),

neighbours as (

    select
        account_no_token,
        party_key,
        business_date,
        lag(party_key) over (partition by account_no_token order by business_date) as previous_party_key
    from states

),

starts as (

    select * from neighbours
    where previous_party_key is null or previous_party_key <> party_key

)

select
    account_no_token,
    party_key,
    business_date as valid_from,
    lead(business_date) over (partition by account_no_token order by business_date) as valid_to
from starts
