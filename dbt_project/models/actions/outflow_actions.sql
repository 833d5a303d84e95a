with alerts as (

    select * from {{ ref('outflow_alerts') }}
    where business_date > {{ days_before(date_literal(var('business_date')), 7) }}

),

policy as (

    select * from {{ ref('contact_policy') }}
    where is_allowed

)

select
    alerts.customer_key,
    alerts.business_date,
    cast('ask about the money that leaves' as varchar) as action,
    cast(
        case
            when max(case when alerts.flow_kind = 'leak' then 1 else 0 end) = 1
                then 'unusual outflow to wallets and money-market funds'
            else 'unusual outflow'
        end as varchar
    ) as reason,
    cast(case when policy.rm_id is not null then 'rm' else 'call_centre' end as varchar) as channel,
    {{ days_before('alerts.business_date', -7) }} as valid_until,
    policy.is_control
from alerts
inner join policy on alerts.customer_key = policy.customer_key
group by alerts.customer_key, alerts.business_date, policy.rm_id, policy.is_control
