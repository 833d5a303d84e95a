-- noqa: disable=LT02
{{ config(
    materialized='incremental', incremental_strategy='replace_histories', date_column='started_date',
    lookback_days=var('handover_days'), history='identity_hash', on_schema_change='fail',
    meta={'partition_by': 'started_date'},
) }}
{%- set first_date = days_before(date_literal(var('from_date')), var('handover_days')) %}
{%- set scopes = ['business_date >= ' ~ first_date, 'is_restated and business_date < ' ~ first_date]
    if is_incremental() else ['true'] %}

with parties as (

    select
        parties.party_key,
        parties.customer_key,
        histories.identity_hash,
        {% if is_incremental() -%}
        parties.customer_key in (
            select linked.customer_key
            from {{ this }} as built
            inner join {{ ref('dim_party') }} as linked on built.party_key = linked.party_key
            inner join {{ ref('int_customer__histories') }} as current_histories
                on linked.customer_key = current_histories.customer_key
            where built.identity_hash <> current_histories.identity_hash
        ) as is_restated
        {%- else -%}
        true as is_restated
        {%- endif %}
    from {{ ref('dim_party') }} as parties
    inner join {{ ref('int_customer__histories') }} as histories on parties.customer_key = histories.customer_key

),

-- applications and what may finish them: online, at the branch, or wherever the product was opened
steps as (

    {% for scope in scopes -%}
    select
        parties.customer_key,
        parties.identity_hash,
        events.party_key,
        events.business_date,
        events.event_at as step_at,
        events.event_name as step,
        events.channel,
        events.product_code,
        cast(null as varchar) as branch_code,
        cast(null as varchar) as product_family,
        cast(null as date) as opened_date
    from {{ ref('fct_online_events') }} as events
    inner join parties on events.party_key = parties.party_key
    where events.event_name in ('apply_start', 'apply_finish') and {{ scope }}

    union all

    select
        parties.customer_key,
        parties.identity_hash,
        visits.party_key,
        visits.business_date,
        visits.served_at as step_at,
        visits.service_type as step,
        'branch' as channel,
        null as product_code,
        visits.branch_code,
        null as product_family,
        null as opened_date
    from {{ ref('fct_branch_visits') }} as visits
    inner join parties on visits.party_key = parties.party_key
    where visits.service_type in ('account', 'wealth', 'loan') and visits.served_at is not null and {{ scope }}

    union all

    select
        parties.customer_key,
        parties.identity_hash,
        openings.party_key,
        openings.told_date as business_date,
        -- after all that is known to the minute
        cast({{ dbt.dateadd('day', 1, 'openings.told_date') }} as timestamp) as step_at,
        'opening' as step,
        'opening' as channel,
        openings.product_code,
        null as branch_code,
        openings.product_family,
        openings.opened_date
    from {{ ref('int_account__openings') }} as openings
    inner join parties on openings.party_key = parties.party_key
    where {{ scope | replace('business_date', 'told_date') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

starts as (

    select
        steps.customer_key,
        steps.identity_hash,
        steps.party_key,
        steps.business_date,
        steps.step_at,
        steps.channel,
        steps.product_code,
        products.product_family,
        products.product_class,
        row_number() over (
            partition by steps.customer_key, coalesce(steps.product_code, ''), steps.business_date
            order by steps.step_at, steps.party_key, steps.channel
        ) as attempt
    from steps
    left join {{ ref('dim_product') }} as products on steps.product_code = products.product_code
    where steps.step = 'apply_start'

),

finishes as (

    select
        starts.customer_key,
        starts.product_code,
        starts.business_date,
        steps.channel,
        steps.business_date as finished_date,
        steps.step_at,
        steps.branch_code,
        row_number() over (
            partition by starts.customer_key, coalesce(starts.product_code, ''), starts.business_date
            order by steps.step_at, steps.channel, steps.branch_code
        ) as place
    from starts
    inner join steps
        on starts.customer_key = steps.customer_key
            and steps.step_at >= starts.step_at
            and steps.business_date <= {{ dbt.dateadd('day', var('handover_days'), 'starts.business_date') }}
            and (
                (steps.step = 'apply_finish' and coalesce(steps.product_code, '') = coalesce(starts.product_code, ''))
                or steps.step = case starts.product_class
                    when 'investment' then 'wealth'
                    when 'loan' then 'loan'
                    else 'account'
                end
                or (
                    steps.step = 'opening'
                    and steps.opened_date >= starts.business_date
                    and (starts.product_code is null or steps.product_family = starts.product_family)
                )
            )
    where starts.attempt = 1

)

select
    starts.customer_key,
    starts.party_key,
    starts.product_code,
    starts.channel as started_channel,
    starts.business_date as started_date,
    starts.step_at as started_at,
    cast(case
        when finishes.channel = 'branch' then 'finished_at_branch'
        when finishes.channel = 'opening' then 'finished_by_opening'
        when finishes.channel is not null then 'finished_online'
        when starts.business_date <= {{ days_before(date_literal(var('business_date')), var('handover_days')) }}
            then 'gave_up'
        else 'open'
    end as varchar) as outcome,
    finishes.finished_date,
    case when finishes.channel <> 'opening' then finishes.step_at end as finished_at,
    finishes.branch_code,
    starts.identity_hash
from starts
left join finishes
    on starts.customer_key = finishes.customer_key
        and coalesce(starts.product_code, '') = coalesce(finishes.product_code, '')
        and starts.business_date = finishes.business_date
        and finishes.place = 1
where starts.attempt = 1
