{{ config(tags=['serving']) }}
-- Grain: kind and subject. What calls for a case at the business date.
{%- set today = date_literal(var('business_date')) %}
with kinds as (

    select * from {{ ref('case_kinds') }}

),

policies as (

    select * from {{ ref('contact_policy') }}

),

outflows as (

    select
        *,
        sum(amount) over (partition by customer_key) as total_amount,
        min(business_date) over (partition by customer_key) as first_date,
        row_number() over (partition by customer_key order by business_date desc, amount desc, flow_kind) as place
    from {{ ref('outflow_alerts') }}
    where is_serious
        and {{ days_between('business_date', today) }}
        < (select window_days from kinds where case_kind = 'outflow')

),

deliveries as (

    select
        *,
        row_number() over (partition by feed order by cutoff_date desc, delivery_id desc) as place,
        count(*) over (partition by feed) as delivery_count,
        min(cutoff_date) over (partition by feed) as first_date
    from {{ ref('stg_lake__delivery_outcomes') }} as told
    where outcome = 'rejected'
        and {{ days_between('cutoff_date', today) }}
        < (select window_days from kinds where case_kind = 'delivery')
        and not exists (
            select 1
            from {{ ref('stg_lake__delivery_outcomes') }} as later
            where later.feed = told.feed
                and later.period = told.period
                and later.version > told.version
                and later.outcome in ('loaded', 'replaced')
        )

),

drifts as (

    select
        moved.*,
        coalesce(phrases.phrase_en, replace(moved.feature, '(score)', 'the score')) as feature_en,
        coalesce(phrases.phrase_zh, replace(moved.feature, '(score)', '评分')) as feature_zh,
        row_number() over (
            partition by moved.task
            order by moved.value / nullif(moved.threshold, 0) desc nulls last, moved.measure, moved.feature
        ) as place,
        count(*) over (partition by moved.task) as drift_count
    from {{ ref('stg_lake__model_monitoring') }} as moved
    left join {{ ref('reason_phrases') }} as phrases on moved.feature = phrases.reason_code
    where moved.is_alert and moved.as_of_date = {{ today }}

),

found as (

    select
        'early_warning' as case_kind,
        customer_key as subject_key,
        customer_key,
        main_trigger_date as trigger_date,
        as_of_date as first_date,
        outstanding_amount as amount,
        coalesce(reason_en || '. ', '') || '{{ var("currency") }} ' || {{ thousands('outstanding_amount') }}
        || ' is outstanding on ' || cast(as_of_date as varchar)
        || coalesce(
            ', of which {{ var("currency") }} ' || {{ thousands('expected_loss_amount') }}
            || ' are expected to be lost', ''
        )
        || '.' as evidence_en,
        coalesce(reason_zh || '。', '') || '截至 ' || cast(as_of_date as varchar) || ' 贷款余额 '
        || {{ thousands('outstanding_amount') }} || ' {{ var("currency") }}'
        || coalesce('，预期损失 ' || {{ thousands('expected_loss_amount') }} || ' {{ var("currency") }}', '')
        || '。' as evidence_zh
    from {{ ref('credit_watch') }}
    where band = 'red'

    union all

    select
        'outflow' as case_kind,
        customer_key as subject_key,
        customer_key,
        business_date as trigger_date,
        first_date,
        total_amount as amount,
        '{{ var("currency") }} ' || {{ thousands('amount') }} || ' left on ' || cast(business_date as varchar)
        || coalesce(', ' || cast(cast(floor(asset_share * 100 + 0.5) as bigint) as varchar) || ' % of the assets', '')
        || case
            when total_amount > amount
                then ', with what left before it {{ var("currency") }} ' || {{ thousands('total_amount') }}
            else ''
        end || '.' as evidence_en,
        cast(business_date as varchar) || ' 流出 ' || {{ thousands('amount') }} || ' {{ var("currency") }}'
        || coalesce('，占资产 ' || cast(cast(floor(asset_share * 100 + 0.5) as bigint) as varchar) || '%', '')
        || case
            when total_amount > amount
                then '，连同此前流出共 ' || {{ thousands('total_amount') }} || ' {{ var("currency") }}'
            else ''
        end || '。' as evidence_zh
    from outflows
    where place = 1

    union all

    select
        'delivery' as case_kind,
        feed as subject_key,
        null as customer_key,
        cutoff_date as trigger_date,
        first_date,
        null as amount,
        'Rejected on ' || cast(cutoff_date as varchar) || ': ' || delivery_id || '. ' || coalesce(reason, '')
        || case
            when delivery_count > 1 then ' (' || cast(delivery_count as varchar) || ' deliveries)' else ''
        end as evidence_en,
        cast(cutoff_date as varchar) || '拒收批次' || delivery_id || '：' || coalesce(reason, '')
        || case when delivery_count > 1 then '（共' || cast(delivery_count as varchar) || '批）' else '' end as evidence_zh
    from deliveries
    where place = 1

    union all

    select
        'drift' as case_kind,
        task as subject_key,
        null as customer_key,
        cast(null as date) as trigger_date,
        as_of_date as first_date,
        null as amount,
        measure || coalesce(' of ' || nullif(feature_en, ''), '') || ' is '
        || cast(cast(value as decimal(18, 3)) as varchar)
        || ' on ' || cast(as_of_date as varchar) || ', beyond ' || cast(cast(threshold as decimal(18, 3)) as varchar)
        || case
            when drift_count > 1 then '; ' || cast(drift_count as varchar) || ' figures drift in all' else ''
        end || '.' as evidence_en,
        cast(as_of_date as varchar) || ' ' || coalesce(nullif(feature_zh, '') || '的', '') || measure || '为'
        || cast(cast(value as decimal(18, 3)) as varchar) || '，超过阈值'
        || cast(cast(threshold as decimal(18, 3)) as varchar)
        || case when drift_count > 1 then '；共' || cast(drift_count as varchar) || '项指标漂移' else '' end
        || '。' as evidence_zh
    from drifts
    where place = 1

)

select
    cast(found.case_kind as varchar) as case_kind,
    cast(kinds.subject_kind as varchar) as subject_kind,
    cast(found.subject_key as varchar) as subject_key,
    cast(found.customer_key as varchar) as customer_key,
    {{ today }} as business_date,
    found.trigger_date,
    found.first_date,
    cast(found.amount as decimal(38, 2)) as amount_at_risk,
    cast(found.evidence_en as varchar) as evidence_en,
    cast(found.evidence_zh as varchar) as evidence_zh,
    cast(policies.branch_code as varchar) as branch_code
from found
inner join kinds on found.case_kind = kinds.case_kind
left join policies on found.customer_key = policies.customer_key
-- nothing is done about somebody who has died
where coalesce(policies.service_block_reason, '') <> 'deceased'
