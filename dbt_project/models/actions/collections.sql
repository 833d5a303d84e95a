{%- set today = date_literal(var('business_date')) %}
with arrears as (

    select * from {{ ref('int_loan__arrears') }}
    where is_in_collection

),

policy as (

    select * from {{ ref('contact_policy') }}

),

judged as (

    select
        arrears.*,
        cast(case when policy.has_phone then 'phone' else 'letter' end as varchar) as channel,
        policy.rm_id,
        policy.branch_code,
        case when policy.block_reason = 'deceased' then 'deceased' end as block_reason
    from arrears
    left join policy on arrears.customer_key = policy.customer_key

),

phrases as (

    select * from {{ ref('action_phrases') }}
    where action = 'collect'

)

select
    cast('collections:' || judged.customer_key || ':{{ var("business_date") }}' as varchar) as action_id,
    judged.customer_key,
    {{ today }} as business_date,
    cast(phrases.action_en as varchar) as action_en,
    cast(phrases.action_zh as varchar) as action_zh,
    cast(
        case when judged.is_written_off then 'A loan was written off; ' else '' end
        || '{{ var("currency") }} ' || {{ thousands('judged.unpaid_amount') }} || ' of instalments unpaid'
        || coalesce('; the oldest fell due on ' || cast(judged.unpaid_since_date as varchar), '')
        || case
            when judged.unpaid_since_date is not null
                then ', ' || cast({{ days_between('judged.unpaid_since_date', today) }} as varchar) || ' days ago'
            else ''
        end as varchar
    ) as reason_en,
    cast(
        case when judged.is_written_off then '贷款已核销；' else '' end
        || '月供 ' || {{ thousands('judged.unpaid_amount') }} || ' {{ var("currency") }} 未还'
        || coalesce('，最早一期于 ' || cast(judged.unpaid_since_date as varchar) || ' 到期', '')
        || case
            when judged.unpaid_since_date is not null
                then '，已 ' || cast({{ days_between('judged.unpaid_since_date', today) }} as varchar) || ' 天'
            else ''
        end as varchar
    ) as reason_zh,
    judged.is_written_off,
    judged.days_past_due,
    cast(judged.unpaid_amount as decimal(38, 2)) as unpaid_amount,
    judged.channel,
    cast('collections' as varchar) as owner,
    cast(judged.rm_id as varchar) as rm_id,
    cast(judged.branch_code as varchar) as branch_code,
    {{ days_before(today, -7) }} as valid_until,
    judged.block_reason is null as is_allowed,
    cast(judged.block_reason as varchar) as block_reason,
    judged.block_reason is null as is_handed_out
from judged
left join phrases on judged.channel = phrases.channel
