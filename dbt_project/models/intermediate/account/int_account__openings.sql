-- Grain: account, holding or loan, with the day from which the bank tells of it.
with accounts as (

    select
        *,
        row_number() over (partition by account_no_token order by business_date) as place
    from {{ ref('int_account__states') }}

),

loans as (

    select
        *,
        row_number() over (
            partition by loan_no order by business_date, _known_date desc, _delivery desc, _row desc
        ) as place
    from {{ ref('stg_branch__loans') }}

),

products as (

    select * from {{ ref('stg_reference__products') }}

),

holdings as (

    select
        holding_id,
        min(party_key) as party_key,
        min(product_code) as product_code,
        min(start_date) as opened_date,
        min(business_date) as told_date
    from {{ ref('fct_holdings_daily') }}
    group by holding_id

),

openings as (

    select
        cast('account:' || account_no_token as varchar) as opening_id,
        party_key,
        product_code,
        opened_date,
        business_date as told_date
    from accounts
    where place = 1
    union all
    select
        cast('holding:' || holding_id as varchar) as opening_id,
        party_key,
        product_code,
        opened_date,
        told_date
    from holdings
    union all
    select
        cast('loan:' || loan_no as varchar) as opening_id,
        party_key,
        product_code,
        granted_date as opened_date,
        business_date as told_date
    from loans
    where place = 1

)

select
    openings.opening_id,
    openings.party_key,
    openings.product_code,
    products.product_family,
    openings.opened_date,
    openings.told_date
from openings
left join products on openings.product_code = products.product_code
