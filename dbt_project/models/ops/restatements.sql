-- Of each figure every value that a publish showed, and the one that is built now: two that follow each other on a date
-- that was published before are a restatement.
with kept as (

    select * from {{ ref('stg_lake__published_figures') }}

),

last_publish as (

    select max(publish_id) as publish_id from kept

),

shown as (

    select
        table_name,
        measure,
        figure_date,
        figure_value
    from (
        select
            *,
            row_number() over (partition by table_name, measure, figure_date order by publish_id desc) as recency
        from kept
    ) as versions
    where recency = 1

),

built as (

    select
        coalesce(figures.table_name, shown.table_name) as table_name,
        coalesce(figures.measure, shown.measure) as measure,
        coalesce(figures.figure_date, shown.figure_date) as figure_date,
        figures.figure_value
    from {{ ref('daily_figures') }} as figures
    full join shown
        on figures.table_name = shown.table_name
            and figures.measure = shown.measure
            and figures.figure_date = shown.figure_date
    where figures.figure_value is distinct from shown.figure_value

),

versions as (

    select
        publish_id,
        publish_id as publish_order,
        table_name,
        measure,
        figure_date,
        figure_value
    from kept
    union all
    select
        cast(null as bigint) as publish_id,
        last_publish.publish_id + 1 as publish_order,
        built.table_name,
        built.measure,
        built.figure_date,
        built.figure_value
    from built
    inner join last_publish on last_publish.publish_id is not null

),

publishes as (

    select
        publish_id,
        max(published_date) as published_date
    from kept
    group by publish_id

),

earlier as (

    select
        versions.*,
        (
            select max(publishes.publish_id) from publishes
            where publishes.publish_id < versions.publish_order
        ) as after_publish_id,
        lag(figure_value) over (
            partition by table_name, measure, figure_date order by publish_order
        ) as value_before
    from versions

),

restated as (

    select
        earlier.*,
        publishes.published_date
    from earlier
    inner join publishes on earlier.after_publish_id = publishes.publish_id
    where earlier.figure_date <= publishes.published_date
        and earlier.figure_value is distinct from earlier.value_before

),

-- a delivery reaches a figure by the dates of its rows, a snapshot by what it says of all of them
causes as (

    select
        restated.publish_order,
        restated.table_name,
        restated.measure,
        restated.figure_date,
        {{ dbt.listagg(
            'case when causes.first_date is not null then causes.delivery_id end', "', '", 'order by causes.delivery_id'
        ) }} as dated,
        {{ dbt.listagg(
            'case when causes.first_date is null then causes.delivery_id end', "', '", 'order by causes.delivery_id'
        ) }} as undated
    from restated
    inner join {{ ref('stg_lake__restatement_causes') }} as causes
        on coalesce(restated.publish_id, 0) = coalesce(causes.publish_id, 0)
            and (causes.first_date is null or causes.first_date <= restated.figure_date)
    group by restated.publish_order, restated.table_name, restated.measure, restated.figure_date

)

select
    restated.after_publish_id,
    restated.publish_id,
    restated.published_date,
    cast(restated.table_name as varchar) as table_name,
    cast(restated.measure as varchar) as measure,
    restated.figure_date,
    cast(restated.value_before as decimal(38, 2)) as value_before,
    cast(restated.figure_value as decimal(38, 2)) as value_after,
    cast(
        coalesce(restated.figure_value, 0) - coalesce(restated.value_before, 0) as decimal(38, 2)
    ) as difference_amount,
    cast(coalesce(causes.dated, causes.undated) as varchar) as deliveries
from restated
left join causes
    on restated.publish_order = causes.publish_order
        and restated.table_name = causes.table_name
        and restated.measure = causes.measure
        and restated.figure_date = causes.figure_date
