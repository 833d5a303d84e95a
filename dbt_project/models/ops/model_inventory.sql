{%- set today = date_literal(var('business_date')) %}
-- What a model decides on is what its lists of the day hand out; a bank may say that it matters more than its money.
{%- set ranks = "case {} when 'high' then 3 when 'medium' then 2 else 1 end" %}
with inventory as (

    select * from {{ ref('model_inventory_entries') }}

),

handed_out as (

    select task as model, customer_key, exposed_amount as amount
    from {{ ref('retention') }}
    where is_handed_out

    union all

    select 'credit_warning' as model, customer_key, outstanding_amount as amount
    from {{ ref('early_warning') }}
    where is_allowed and main_trigger is null

    union all

    select 'propensity_' || product_line as model, customer_key, amount
    from {{ ref('next_best_offer') }}
    where is_handed_out

    union all

    select 'lead_conversion' as model, customer_key, null as amount
    from {{ ref('lead_calls') }}
    where is_handed_out and basis = 'score'

),

exposures as (

    select
        model,
        count(distinct customer_key) as decided_count,
        sum(amount) as decided_amount
    from handed_out
    group by model

),

bank as (

    select sum(aum_amount) as aum_amount from {{ ref('int_customer__position_today') }}

),

monitored as (

    select
        task as model,
        max(case when measure = 'estimated_roc_auc' then model_version end) as model_version,
        max(case when measure = 'estimated_roc_auc' then value end) as estimated_roc_auc,
        cast(sum(case when is_alert then 1 else 0 end) as bigint) as alert_count
    from {{ ref('stg_lake__model_monitoring') }}
    where as_of_date = {{ today }} and (measure <> 'estimated_roc_auc' or feature = '(score)')
    group by task

),

findings as (

    select
        task as model,
        count(*) as open_finding_count,
        min(due_date) as finding_due_date
    from {{ ref('int_score__findings') }}
    where state <> 'replaced'
    group by task

),

judged as (

    select
        inventory.*,
        coalesce(exposures.decided_count, 0) as decided_count,
        coalesce(exposures.decided_amount, 0) as decided_amount,
        coalesce(
            cast(exposures.decided_amount as double precision) / nullif(cast(bank.aum_amount as double precision), 0), 0
        ) as decided_share,
        monitored.model_version,
        monitored.estimated_roc_auc,
        coalesce(monitored.alert_count, 0) as alert_count,
        coalesce(findings.open_finding_count, 0) as open_finding_count,
        findings.finding_due_date,
        cast({{ dbt.dateadd('month', 'inventory.validation_months', 'inventory.validated_date') }} as date)
            as validation_due_date
    from inventory
    left join exposures on inventory.model = exposures.model
    left join monitored on inventory.model = monitored.model
    left join findings on inventory.model = findings.model
    cross join bank

),

ranked as (

    select
        *,
        greatest(
            {{ ranks.format('least_materiality') }},
            case
                when decided_share >= {{ limit('materiality_limits', 'high_share') }} then 3
                when decided_share >= {{ limit('materiality_limits', 'medium_share') }} then 2
                else 1
            end
        ) as materiality_rank
    from judged

)

select
    model,
    purpose_en,
    purpose_zh,
    owner,
    {{ today }} as business_date,
    model_version,
    cast(decided_count as bigint) as decided_count,
    cast(decided_amount as decimal(38, 2)) as decided_amount,
    decided_share,
    cast(case materiality_rank when 3 then 'high' when 2 then 'medium' else 'low' end as varchar) as materiality,
    validated_date,
    validation_due_date,
    cast(
        case
            when validated_date is null then 'never validated'
            when validation_due_date < {{ today }} then 'overdue'
            else 'valid'
        end as varchar
    ) as validation_state,
    estimated_roc_auc,
    cast(alert_count as bigint) as alert_count,
    findings_en,
    findings_zh,
    cast(open_finding_count as bigint) as open_finding_count,
    finding_due_date,
    limits_en,
    limits_zh
from ranked
