{{ config(tags=['serving']) }}
-- Grain: prospect, or customer who turned up as a lead or online user, with a contact in 90 days. Who opened an account
-- meanwhile is not asked.
{%- set today = date_literal(var('business_date')) %}
with contacts as (

    select
        *,
        row_number() over (partition by customer_key order by contact_date desc, party_key) as recency
    from {{ ref('int_party__first_contacts') }}
    where contact_date > {{ days_before(today, 90) }}

),

scores as (

    select * from {{ ref('lead_conversion_latest') }}
    where as_of_date = {{ today }}

),

policy as (

    select * from {{ ref('contact_policy') }}

),

sources as (

    -- one conversion is added, and as many leads as that takes on average of all sources: a source of few leads is near
    -- the average
    select
        source,
        (sum(acquired_90d_count) + 1) / (sum(lead_count - already_customer_count) + max(average_lead_count))
            as conversion_rate,
        sum(cost_amount) as cost_amount,
        sum(acquired_count) as acquired_count
    from (
        select
            acquisitions.*,
            (sum(lead_count - already_customer_count) over () + 1)
            / cast(sum(acquired_90d_count) over () + 1 as double precision)
                as average_lead_count
        from {{ ref('acquisition_monthly') }} as acquisitions
    ) as averaged
    group by source

),

sentences as (

    select * from {{ ref('score_reasons') }}
    where task = 'lead_conversion' and place = 1

),

judged as (

    select
        contacts.customer_key,
        contacts.source,
        contacts.interest,
        contacts.contact_date,
        sources.conversion_rate,
        sources.cost_amount as source_cost_amount,
        sources.acquired_count,
        scores.probability as score,
        sentences.sentence_en,
        sentences.sentence_zh,
        case when contacts.first_opened_date is not null then 'is a customer' else policy.block_reason end
            as block_reason,
        policy.is_control,
        policy.preferred_channel,
        policy.owner,
        policy.rm_id,
        policy.branch_code
    from contacts
    inner join policy on contacts.customer_key = policy.customer_key
    inner join sources on contacts.source = sources.source
    left join scores on contacts.customer_key = scores.customer_key
    left join sentences
        on scores.customer_key = sentences.customer_key and scores.as_of_date = sentences.as_of_date
    where contacts.recency = 1

)

select
    cast('lead_calls:' || customer_key || ':{{ var("business_date") }}' as varchar) as action_id,
    customer_key,
    {{ today }} as business_date,
    cast(source as varchar) as source,
    cast(interest as varchar) as interest,
    contact_date,
    cast('Invite to open an account' as varchar) as action_en,
    cast('邀请开户' as varchar) as action_zh,
    cast(
        'came by ' || source || coalesce(
            ', interested in ' || interest, ''
        ) || coalesce('; ' || sentence_en, '') as varchar
    ) as reason_en,
    cast('来自' || source || coalesce('，关注' || interest, '') || coalesce('；' || sentence_zh, '') as varchar) as reason_zh,
    cast(coalesce(score, conversion_rate) as double precision) as probability,
    cast(case when score is null then 'source' else 'score' end as varchar) as basis,
    case when acquired_count > 0 then {{ average_amount('source_cost_amount', 'acquired_count') }} end
        as source_cost_per_acquired_amount,
    cast(preferred_channel as varchar) as channel,
    cast(owner as varchar) as owner,
    cast(rm_id as varchar) as rm_id,
    cast(branch_code as varchar) as branch_code,
    {{ days_before('contact_date', -90) }} as valid_until,
    block_reason is null as is_allowed,
    cast(block_reason as varchar) as block_reason,
    is_control,
    cast(case when block_reason is null then case when is_control then 'control' else 'treatment' end end as varchar)
        as arm,
    block_reason is null and not is_control as is_handed_out
from judged
