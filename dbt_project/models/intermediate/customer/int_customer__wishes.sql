-- The last word counts, whichever record of the customer it was said by; a word for a later day waits for it.
{%- set today = date_literal(var('business_date')) %}
with decisions as (

    select * from {{ ref('stg_feedback__consents') }}
    where business_date <= {{ today }} and effective_date <= {{ today }}

),

links as (

    select * from {{ ref('int_party__customers') }}

),

purposes as (

    select * from {{ ref('purposes') }}
    where is_refusable

),

ranked as (

    select
        links.customer_key,
        decisions.purpose,
        decisions.decision,
        decisions.effective_date,
        decisions.channel,
        row_number() over (
            partition by links.customer_key, decisions.purpose
            order by
                decisions.effective_date desc, decisions.decided_at desc, decisions.business_date desc,
                decisions.decision_id desc, decisions._known_date desc, decisions._row desc
        ) as recency
    from decisions
    inner join links on decisions.party_key = links.party_key
    inner join purposes on decisions.purpose = purposes.purpose

)

select
    customer_key,
    purpose,
    decision,
    effective_date,
    channel
from ranked
where recency = 1
