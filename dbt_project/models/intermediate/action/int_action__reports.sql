-- Grain: customer and list. What was reported last of an action that was handed out, of the actions that still count.
{%- set today = date_literal(var('business_date')) %}
with links as (

    select * from {{ ref('int_party__customers') }}

),

reports as (

    select
        links.customer_key,
        outcomes.action_kind,
        outcomes.outcome,
        outcomes.action_date,
        outcomes.business_date as reported_date,
        row_number() over (
            partition by links.customer_key, outcomes.action_kind
            order by outcomes.business_date desc, outcomes._known_date desc, outcomes._delivery desc, outcomes._row desc
        ) as recency
    from {{ ref('stg_feedback__action_outcomes') }} as outcomes
    inner join links on outcomes.party_key = links.party_key
    where outcomes.arm = 'treatment' and outcomes.is_done
        and outcomes.business_date <= {{ today }}
        and {{ days_between('outcomes.action_date', today) }} <= {{ limit('contact_limits', 'state_days') }}

)

select
    customer_key,
    action_kind,
    case
        when outcome = 'not_reached' then 'not reached'
        when outcome = 'promised' then 'promised'
        when outcome in ('refused', 'opted_out') then 'refused'
        else 'done'
    end as action_state,
    action_date,
    reported_date
from reports
where recency = 1
