-- A serious outflow is a matter of service: neither marketing's wishes and caps nor the control group hold the call
-- back, only what forbids any call, or a talk since. Any other outflow obeys the policy as a whole.
{%- set today = date_literal(var('business_date')) %}
with alerts as (

    select
        *,
        max(case when is_serious then 1 else 0 end) over (partition by customer_key, business_date) = 1
            as is_serious_day,
        row_number() over (partition by customer_key, business_date order by amount desc, flow_kind) as place
    from {{ ref('outflow_alerts') }}
    where business_date >= {{ days_before(today, 7) }}

),

policy as (

    select * from {{ ref('contact_policy') }}

),

judged as (

    select
        alerts.*,
        policy.is_control and not alerts.is_serious_day as is_control,
        case
            when policy.service_block_reason is not null then policy.service_block_reason
            when policy.last_service_date >= alerts.business_date then 'spoken with since'
            when alerts.lent_amount > 0 and not alerts.is_serious_day then 'lent money'
            when not alerts.is_serious_day then policy.block_reason
        end as block_reason,
        policy.talk_channel,
        policy.owner,
        policy.rm_id,
        policy.branch_code as policy_branch_code
    from alerts
    inner join policy on alerts.customer_key = policy.customer_key
    where alerts.place = 1

),

phrases as (

    select * from {{ ref('action_phrases') }}
    where action = 'ask_about_outflow'

)

select
    cast('outflow_actions:' || judged.customer_key || ':' || cast(judged.business_date as varchar) as varchar)
        as action_id,
    judged.customer_key,
    judged.business_date,
    cast(phrases.action_en as varchar) as action_en,
    cast(phrases.action_zh as varchar) as action_zh,
    cast(
        '{{ var("currency") }} ' || {{ thousands('judged.amount') }}
        || case judged.flow_kind when 'leak' then ' went to wallets and money-market funds on ' else ' left on ' end
        || cast(judged.business_date as varchar)
        || case
            when judged.asset_share is not null
                then ', ' || {{ thousands('100 * judged.asset_share') }} || ' % of the assets of the day before'
            else ''
        end
        || case
            when judged.is_unusual
                then '; such a day usually takes {{ var("currency") }} ' || {{ thousands('judged.usual_amount') }}
            else ''
        end
        || case
            when judged.is_new_payee
                then '; {{ var("currency") }} ' || {{ thousands('judged.payee_amount') }}
                    || ' to an account never paid before'
            else ''
        end
        || case
            when judged.lent_amount > 0
                then '; the bank had lent {{ var("currency") }} ' || {{ thousands('judged.lent_amount') }}
                    || ' shortly before'
            else ''
        end as varchar
    ) as reason_en,
    cast(
        cast(judged.business_date as varchar)
        || case judged.flow_kind when 'leak' then ' 向钱包和货币基金转出 ' else ' 转出 ' end
        || {{ thousands('judged.amount') }} || ' {{ var("currency") }}'
        || case
            when judged.asset_share is not null
                then '，占前一日资产的 ' || {{ thousands('100 * judged.asset_share') }} || '%'
            else ''
        end
        || case
            when judged.is_unusual
                then '；此类日期通常为 ' || {{ thousands('judged.usual_amount') }} || ' {{ var("currency") }}'
            else ''
        end
        || case
            when judged.is_new_payee
                then '；其中 ' || {{ thousands('judged.payee_amount') }} || ' {{ var("currency") }} 转给首次收款账户'
            else ''
        end
        || case
            when judged.lent_amount > 0
                then '；此前不久本行发放贷款 ' || {{ thousands('judged.lent_amount') }} || ' {{ var("currency") }}'
            else ''
        end as varchar
    ) as reason_zh,
    judged.amount,
    judged.asset_share,
    judged.is_serious_day as is_serious,
    cast(
        judged.amount * {{ limit('contact_limits', 'call_effect_rate') }}
        * {{ limit('contact_limits', 'outflow_margin_rate') }} as decimal(18, 2)
    ) as expected_value_amount,
    cast(judged.talk_channel as varchar) as channel,
    cast(judged.owner as varchar) as owner,
    cast(judged.rm_id as varchar) as rm_id,
    cast(judged.policy_branch_code as varchar) as branch_code,
    {{ days_before('judged.business_date', -7) }} as valid_until,
    judged.block_reason is null as is_allowed,
    cast(judged.block_reason as varchar) as block_reason,
    judged.is_control,
    cast(
        case when judged.block_reason is null then case when judged.is_control then 'control' else 'treatment' end end
        as varchar
    ) as arm,
    judged.block_reason is null and not judged.is_control as is_handed_out
from judged
left join phrases on judged.talk_channel = phrases.channel
