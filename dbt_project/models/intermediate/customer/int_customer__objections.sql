{%- set today = date_literal(var('business_date')) %}
-- Grain: customer who asked not to be contacted, by itself or in answer to a campaign or an action, who was reported
-- deceased, or whose debt is being collected.
with links as (

    select * from {{ ref('int_party__customers') }}

),

objections as (

    select
        links.customer_key,
        1 as is_opted_out,
        0 as is_deceased,
        0 as is_in_collection
    from {{ ref('stg_online__campaign_responses') }} as responses
    inner join {{ ref('stg_online__campaign_touches') }} as touches on responses.touch_id = touches.touch_id
    inner join links on touches.party_key = links.party_key
    where responses.response = 'opted_out' and responses.business_date <= {{ today }}

    union all

    select
        links.customer_key,
        case when outcomes.outcome = 'opted_out' then 1 else 0 end as is_opted_out,
        case when outcomes.outcome = 'deceased' then 1 else 0 end as is_deceased,
        0 as is_in_collection
    from {{ ref('stg_feedback__action_outcomes') }} as outcomes
    inner join links on outcomes.party_key = links.party_key
    where outcomes.outcome in ('opted_out', 'deceased') and outcomes.business_date <= {{ today }}

    union all

    select
        customer_key,
        1 as is_opted_out,
        0 as is_deceased,
        0 as is_in_collection
    from {{ ref('int_customer__refused_purposes') }}
    where purpose = 'marketing'

    union all

    select
        customer_key,
        0 as is_opted_out,
        0 as is_deceased,
        1 as is_in_collection
    from {{ ref('int_loan__arrears') }}
    where is_in_collection

)

select
    customer_key,
    max(is_opted_out) = 1 as is_opted_out,
    max(is_deceased) = 1 as is_deceased,
    max(is_in_collection) = 1 as is_in_collection
from objections
group by customer_key
