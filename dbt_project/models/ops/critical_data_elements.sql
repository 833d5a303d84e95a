{{ config(alias='critical_elements') }}

-- What is typed by hand is the seed; sources are those of the lineage, controls those that stand in the suites and in
-- dbt's tests.
with elements as (

    select * from {{ ref('critical_elements') }}

),

lineage as (

    select
        *,
        schema_name || '.' || table_name || '.' || column_name as element
    from {{ ref('lineage') }}
    where source_kind in ('feed', 'token')

),

source_columns as (

    select
        element,
        {{ dbt.listagg("source_name || '.' || source_column", "', '", "order by source_name, source_column") }}
            as source_columns
    from lineage
    group by element

),

source_feeds as (

    select distinct
        element,
        source_name as feed
    from lineage

),

newest as (

    select
        deliveries.feed,
        sum(deliveries.rows_delivered) as delivered_count,
        sum(deliveries.rows_quarantined) as rejected_count
    from {{ ref('deliveries') }} as deliveries
    inner join {{ ref('freshness') }} as freshness
        on deliveries.feed = freshness.feed and deliveries.cutoff_date = freshness.last_cutoff_date
    where deliveries.outcome in ('loaded', 'replaced') and deliveries.superseded_date is null
    group by deliveries.feed

),

feeds as (

    select
        source_feeds.element,
        {{ dbt.listagg('source_feeds.feed', "', '", 'order by source_feeds.feed') }} as source_feeds,
        sum(newest.delivered_count) as delivered_count,
        sum(newest.rejected_count) as rejected_count,
        max(freshness.days_since_delivery) as days_since_delivery,
        {{ dbt.listagg(
            'case when freshness.days_since_delivery > freshness.latency_days then source_feeds.feed end', "', '",
            'order by source_feeds.feed'
        ) }} as late_feeds,
        {{ dbt.listagg(
            'case when freshness.feed is null then source_feeds.feed end', "', '", 'order by source_feeds.feed'
        ) }} as undelivered_feeds
    from source_feeds
    left join {{ ref('freshness') }} as freshness on source_feeds.feed = freshness.feed
    left join newest on source_feeds.feed = newest.feed
    group by source_feeds.element

),

controls as (

    select
        element,
        {{ dbt.listagg("case when control_kind = 'raw gate' then control end", "', '", 'order by control') }}
            as raw_gates,
        {{ dbt.listagg("case when control_kind = 'mart gate' then control end", "', '", 'order by control') }}
            as mart_gates,
        {{ dbt.listagg("case when control_kind = 'data test' then control end", "', '", 'order by control') }}
            as data_tests
    from {{ ref('stg_lake__element_controls') }}
    group by element

),

-- what the breaks are made of is what they say something of
held_against_the_bank as (

    select distinct lineage.element
    from lineage
    inner join lineage as of_breaks
        on lineage.source_name = of_breaks.source_name and lineage.source_column = of_breaks.source_column
    where of_breaks.element = 'ops.reconciliation.break_amount'

),

adjusted as (

    select
        report as element,
        count(*) as adjustment_count,
        sum(amount) as adjustment_amount
    from {{ ref('adjustments_in_reports') }}
    where report_kind = 'column' and effective_date <= {{ date_literal(var('business_date')) }}
    group by report

),

breaks as (

    select
        coalesce(sum(account_count), 0) as break_count,
        coalesce(sum(break_amount), 0) as break_amount
    from {{ ref('reconciliation') }}
    where business_date = {{ date_literal(var('business_date')) }}

)

select
    elements.element,
    elements.owner,
    elements.definition_en,
    elements.definition_zh,
    cast(feeds.source_feeds as varchar) as source_feeds,
    cast(source_columns.source_columns as varchar) as source_columns,
    cast(controls.raw_gates as varchar) as raw_gates,
    cast(controls.mart_gates as varchar) as mart_gates,
    cast(controls.data_tests as varchar) as data_tests,
    completeness.business_date,
    completeness.row_count,
    completeness.filled_count,
    completeness.filled_rate,
    cast(feeds.delivered_count as bigint) as delivered_count,
    cast(feeds.rejected_count as bigint) as rejected_count,
    1 - cast(feeds.rejected_count as double precision) / nullif(feeds.delivered_count, 0) as accepted_rate,
    cast(case when held_against_the_bank.element is not null then breaks.break_count end as bigint) as break_count,
    cast(case when held_against_the_bank.element is not null then breaks.break_amount end as decimal(38, 2))
        as break_amount,
    cast(coalesce(adjusted.adjustment_count, 0) as bigint) as adjustment_count,
    cast(coalesce(adjusted.adjustment_amount, 0) as decimal(38, 2)) as adjustment_amount,
    feeds.days_since_delivery,
    cast(feeds.late_feeds as varchar) as late_feeds,
    cast(feeds.undelivered_feeds as varchar) as undelivered_feeds
from elements
inner join {{ ref('element_completeness') }} as completeness on elements.element = completeness.element
left join feeds on elements.element = feeds.element
left join source_columns on elements.element = source_columns.element
left join controls on elements.element = controls.element
left join adjusted on elements.element = adjusted.element
left join held_against_the_bank on elements.element = held_against_the_bank.element
cross join breaks
