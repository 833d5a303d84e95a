{{ config(tags=['serving']) }}
{%- set business_date = date_literal(var('business_date')) %}
with touches as (

    select
        links.customer_key,
        contacts.contact_id,
        contacts.channel,
        contacts.product_code,
        {{ days_before("date_trunc('month', contacts.business_date)", 1) }} as as_of_date
    from {{ ref('fct_contacts') }} as contacts
    inner join {{ ref('int_party__customers') }} as links on contacts.party_key = links.party_key
    where contacts.contact_kind = 'campaign_touch'
        and contacts.business_date > {{ days_before(business_date, 365) }}
        and contacts.business_date <= {{ business_date }}

),

answers as (

    select distinct 'campaign:' || touch_id as contact_id
    from {{ ref('stg_online__campaign_responses') }}
    where response in ('{{ var("answers") | join("', '") }}')

),

answered as (

    select
        segments.segment_id,
        touches.channel,
        touches.product_code,
        case when answers.contact_id is not null then 1 else 0 end as is_answered
    from touches
    inner join {{ ref('stg_lake__segments') }} as segments
        on touches.customer_key = segments.customer_key and touches.as_of_date = segments.as_of_date
    left join answers on touches.contact_id = answers.contact_id

),

options as (

    select segment_id, 'channel' as option_kind, channel as option_code, is_answered from answered
    union all
    select segment_id, 'offer', product_code, is_answered from answered
    where product_code is not null

),

sums as (

    select
        segment_id,
        option_kind,
        option_code,
        count(*) as touch_count,
        sum(is_answered) as answer_count
    from options
    group by segment_id, option_kind, option_code

),

rates as (

    select
        *,
        {{ share_of('answer_count', 'touch_count') }} as answer_rate,
        {{ wilson_bound('answer_count', 'touch_count', '-') }} as answer_rate_low,
        {{ wilson_bound('answer_count', 'touch_count', '+') }} as answer_rate_high,
        touch_count >= {{ var('least_touches') }} as is_enough
    from sums

)

select
    segment_id,
    cast(option_kind as varchar) as option_kind,
    cast(option_code as varchar) as option_code,
    cast(touch_count as bigint) as touch_count,
    cast(answer_count as bigint) as answer_count,
    answer_rate,
    answer_rate_low,
    answer_rate_high,
    is_enough,
    cast(case when is_enough then row_number() over (
                partition by segment_id, option_kind, is_enough order by answer_rate desc, touch_count desc, option_code
            )
    end as integer) as option_rank
from rates
