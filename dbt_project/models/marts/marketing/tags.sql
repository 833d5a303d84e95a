{{ config(tags=['serving']) }}
-- Grain: tag and version. The definition of each, and how many customers have those that count.
with versions as (

    select * from {{ ref('int_customer__tag_versions') }}

),

problems as (

    {% for tag in var('tag_conditions') if tag.problem -%}
    select
        cast({{ dbt.string_literal(dbt.escape_single_quotes(tag.tag)) }} as varchar) as tag,
        cast({{ dbt.string_literal(dbt.escape_single_quotes(tag.problem)) }} as varchar) as problem
    union all
    {% endfor -%}
    select
        cast(null as varchar) as tag,
        cast(null as varchar) as problem
    where false

),

sizes as (

    select
        tag,
        count(*) as member_count,
        sum(case when is_contactable then 1 else 0 end) as contactable_count
    from {{ ref('customer_tags') }}
    group by tag

)

select
    cast(versions.tag as varchar) as tag,
    versions.version,
    versions.is_current,
    {{ date_literal(var('business_date')) }} as business_date,
    cast(case when problems.tag is not null then 'does not fit' else versions.state end as varchar) as state,
    problems.problem,
    cast(versions.description as varchar) as description,
    cast(versions.owner as varchar) as owner,
    cast(versions.matching as varchar) as matching,
    cast(versions.conditions as varchar) as conditions,
    versions.first_date,
    versions.version_date,
    versions.expires_date,
    case
        when versions.state = 'active' and problems.tag is null
            then cast(coalesce(sizes.member_count, 0) as bigint)
    end as member_count,
    case
        when versions.state = 'active' and problems.tag is null
            then cast(coalesce(sizes.contactable_count, 0) as bigint)
    end as contactable_count
from versions
left join problems on versions.tag = problems.tag and versions.state = 'active'
left join sizes on versions.tag = sizes.tag and versions.state = 'active'
