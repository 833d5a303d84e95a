{{ config(schema='pii') }}
-- Grain: account. Readers' tables hold its token; who may see the number finds it here.
select
    account_no_token,
    min(account_no) as account_no
from {{ source('raw', 'accounts') }}
group by account_no_token
