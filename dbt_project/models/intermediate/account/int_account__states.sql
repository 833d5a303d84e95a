-- Grain: account and day on which it changed, as last told.
with states as (

    {{ last_known(ref('stg_branch__accounts'), ['account_no_token', 'business_date']) }}

)

select
    account_no_token,
    party_key,
    cast('cif:' || authorised_customer_no as varchar) as authorised_party_key,
    product_code,
    branch_code,
    currency,
    status,
    interest_rate,
    business_date,
    opened_date,
    closed_date,
    maturity_date
from states
