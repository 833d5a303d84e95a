{%- set today = date_literal(var('business_date')) -%}
-- Grain: customer whom a salary or pension reached within 180 days.
select
    accounts.customer_key,
    max(flows.business_date) as last_date,
    count(distinct date_trunc('month', flows.business_date)) as month_count,
    sum(flows.amount) as amount
from {{ ref('account_flow_daily') }} as flows
inner join {{ ref('int_account__accounts') }} as accounts on flows.account_no_token = accounts.account_no_token
where flows.business_date > {{ days_before(today, 180) }}
    and flows.direction = 'C'
    and flows.counterparty_class in ('salary', 'pension')
    and accounts.customer_key is not null
group by accounts.customer_key
