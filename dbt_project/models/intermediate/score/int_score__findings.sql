{{ config(tags=['serving']) }}
-- Grain: score, model, attribute and measure. A gap between two groups that is beyond the bank's limit (the seed
-- fairness_limits): of the model in use by all that is kept of it, of another while it is news. What was measured is in
-- ops.model_monitoring.
{%- set today = date_literal(var('business_date')) %}
with monitored as (

    select
        task,
        as_of_date,
        model_version,
        measure,
        feature,
        measured_date,
        value,
        threshold,
        is_alert,
        row_count,
        observed_low_rate,
        observed_high_rate,
        split_part(feature, ' ', 2) as attribute,
        min(as_of_date) over (partition by task, model_version) as first_date
    from {{ ref('stg_lake__model_monitoring') }}

),

in_use as (

    select
        task,
        model_version
    from monitored
    where as_of_date = {{ today }} and measure = 'stability_index' and feature = '(score)'

),

gaps as (

    select
        monitored.*,
        min(as_of_date) over (partition by task, model_version, attribute, measure) as alerted_date,
        row_number() over (
            partition by task, model_version, attribute, measure order by as_of_date desc, measured_date desc
        ) as recency
    from monitored
    where is_alert and measure in ('selection_gap', 'found_gap', 'calibration_gap_of_groups')

),

limits as (

    select * from {{ ref('fairness_limits') }}

),

found as (

    select
        gaps.*,
        limits.remedy,
        limits.finding_days,
        -- a limit that has become narrower finds a model later than its training; one month that came, too
        case
            when alerted_date > first_date then alerted_date
            else cast(substring(gaps.model_version, 1, 10) as date)
        end as found_date,
        case
            when in_use.model_version is not null and limits.remedy = 'withhold' then 'withheld'
            when in_use.model_version is not null then 'in use'
            when gaps.as_of_date = {{ today }} then 'not promoted'
            else 'replaced'
        end as state
    from gaps
    inner join limits on gaps.task = limits.model and gaps.attribute = limits.attribute
    left join in_use on gaps.task = in_use.task and gaps.model_version = in_use.model_version
    where gaps.recency = 1

)

select
    task,
    model_version,
    attribute,
    measure,
    replace(feature, '(score) ' || attribute || ' ', '') as groups_compared,
    value,
    observed_low_rate as low_value,
    observed_high_rate as high_value,
    threshold,
    row_count,
    measured_date,
    found_date,
    cast({{ dbt.dateadd('day', 'finding_days', 'found_date') }} as date) as due_date,
    remedy,
    state
from found
