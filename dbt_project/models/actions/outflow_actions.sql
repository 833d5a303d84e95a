with alerts as (

    select * from {{ ref('outflow_alerts') }}
    where business_date > {{ days_before(date_literal(var('business_date')), 7) }}

),

profiles as (

    select * from {{ ref('dim_customer') }}
    where is_current

),

links as (

    select * from {{ ref('int_party__customers') }}

),

managed as (

    select distinct links.customer_key
    from {{ ref('stg_reference__rm_assignments') }} as assignments
    inner join links on assignments.party_key = links.party_key
    where assignments.valid_from <= {{ date_literal(var('business_date')) }}
        and (assignments.valid_to is null or assignments.valid_to >= {{ date_literal(var('business_date')) }})

),

asked as (

    select
        alerts.customer_key,
        alerts.business_date,
        max(case when alerts.flow_kind = 'leak' then 1 else 0 end) as has_leak
    from alerts
    inner join profiles on alerts.customer_key = profiles.customer_key
    where not coalesce(profiles.is_marketing_opt_out, false)
    group by alerts.customer_key, alerts.business_date

)

select
    asked.customer_key,
    asked.business_date,
    cast('ask about the money that leaves' as varchar) as action,
    cast(
        case
            when asked.has_leak = 1 then 'unusual outflow to wallets and money-market funds'
            else 'unusual outflow'
        end as varchar
    ) as reason,
    cast(case when managed.customer_key is not null then 'rm' else 'call_centre' end as varchar) as channel,
    {{ days_before('asked.business_date', -7) }} as valid_until
from asked
left join managed on asked.customer_key = managed.customer_key
