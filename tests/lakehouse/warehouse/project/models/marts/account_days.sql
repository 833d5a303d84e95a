{{ config(materialized='view') }}
select days.business_date, accounts.account_no_token, cast(count(*) as bigint) as txn_count
from {{ ref('fct_transactions') }} as days
inner join {{ ref('dim_account') }} as accounts on days.account_no_token = accounts.account_no_token
group by days.business_date, accounts.account_no_token
