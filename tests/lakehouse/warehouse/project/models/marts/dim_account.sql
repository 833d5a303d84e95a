select account_no_token, cast(min(business_date) as date) as opened_date, cast(sum(amount) as decimal(38,2)) as turnover_amount
from {{ ref('stg_branch__transactions') }}
group by account_no_token
