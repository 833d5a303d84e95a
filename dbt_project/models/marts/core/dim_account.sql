select
    account_no_token,
    party_key,
    customer_key,
    authorised_customer_key,
    product_code,
    product_family,
    branch_code,
    currency,
    interest_rate,
    opened_date,
    closed_date,
    maturity_date,
    status
from {{ ref('int_account__accounts') }}
