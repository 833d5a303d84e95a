{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='ripe_date', on_schema_change='fail',
    meta={'partition_by': 'ripe_date'},
) }}
{#- The outcome is what was known 90 days later, so it never changes afterwards, and models may learn from it. -#}
with touches as (

    select
        'campaign:' || touch_id as assignment_id,
        case
            when campaign_id like '{{ var("retention_campaigns") }}' then 'retention campaign'
            else 'sales campaign'
        end as action_kind,
        party_key,
        business_date as assigned_date,
        arm,
        arm = 'treatment' as is_done,
        {{ days_before('business_date', -90) }} as ripe_date,
        _known_date,
        _superseded_date,
        _delivery,
        _row
    from {{ ref('stg_online__campaign_touches_versions') }}

),

outcomes as (

    select
        action_kind || ':' || party_key || ':' || cast(action_date as varchar) as assignment_id,
        action_kind,
        party_key,
        action_date as assigned_date,
        arm,
        is_done,
        {{ days_before('action_date', -90) }} as ripe_date,
        _known_date,
        _superseded_date,
        _delivery,
        _row
    from {{ ref('stg_feedback__action_outcomes_versions') }}

),

tellings as (

    select
        *,
        max(case when is_done then 1 else 0 end) over (partition by assignment_id) = 1 as was_done,
        row_number() over (partition by assignment_id order by _known_date desc, _delivery desc, _row desc) as place
    from (
        select * from touches
        union all
        select * from outcomes
    ) as told
    where {{ dates_of_run('ripe_date') }}
        and {{ is_known_on('told', 'ripe_date') }}

),

xref as (

    select * from {{ ref('customer_xref') }}

),

assigned as (

    select
        tellings.*,
        {{ days_before(dbt.date_trunc('month', 'tellings.assigned_date'), 1) }} as as_of_date,
        xref.customer_key
    from tellings
    inner join xref on tellings.party_key = xref.party_key and {{ is_valid_on('xref', 'tellings.ripe_date') }}
    where tellings.place = 1

),

accounts as (

    select
        assigned.assignment_id,
        assigned.assigned_date,
        versions.opened_date,
        versions.closed_date,
        versions.status,
        row_number() over (
            partition by assigned.assignment_id, versions.account_no_token
            order by versions.business_date desc, versions._known_date desc, versions._delivery desc, versions._row desc
        ) as recency
    from assigned
    inner join xref on assigned.customer_key = xref.customer_key and {{ is_valid_on('xref', 'assigned.ripe_date') }}
    inner join {{ ref('stg_branch__accounts_versions') }} as versions
        on xref.party_key = versions.party_key
            and versions.business_date <= assigned.ripe_date
            and {{ is_known_on('versions', 'assigned.ripe_date') }}

),

fates as (

    select
        assignment_id,
        max(case when status <> 'closed' then 1 else 0 end) = 0 as has_left
    from accounts
    where recency = 1
    group by assignment_id
    having max(
            case
                when opened_date <= assigned_date and (closed_date is null or closed_date > assigned_date) then 1
                else 0
            end
        ) = 1

)

select
    cast(assigned.assignment_id as varchar) as assignment_id,
    cast(assigned.action_kind as varchar) as action_kind,
    cast(assigned.customer_key as varchar) as customer_key,
    cast(earlier.customer_key as varchar) as as_of_customer_key,
    assigned.as_of_date,
    assigned.assigned_date,
    assigned.ripe_date,
    assigned.arm = 'treatment' as is_treated,
    assigned.was_done and assigned.arm = 'treatment' as is_done,
    fates.has_left
from assigned
inner join fates on assigned.assignment_id = fates.assignment_id
left join xref as earlier
    on assigned.party_key = earlier.party_key
        and {{ is_valid_on('earlier', 'assigned.as_of_date') }}
