{{ config(tags=['serving']) }}
-- Grain: customer and tag, at the business date. The conditions are SQL already: lakehouse/tags makes it, of what
-- people have defined and of columns that it has checked.
{%- for table in var('tag_tables') %}
-- depends_on: {{ ref(table.split('.')[1]) }}
{%- endfor %}
with versions as (

    select * from {{ ref('int_customer__tag_versions') }}
    where state = 'active'

),

policy as (

    select * from {{ ref('contact_policy') }}

),

tagged as (

    {% for tag in var('tag_conditions') if tag.condition -%}
    select
        customer_360.customer_key,
        cast({{ dbt.string_literal(dbt.escape_single_quotes(tag.tag)) }} as varchar) as tag
    from {{ ref('customer_360') }} as customer_360
    {% for table in tag.tables if table != 'customer_360' -%}
    left join {{ ref(table) }} as {{ table }} on customer_360.customer_key = {{ table }}.customer_key
    {% endfor -%}
    where {{ tag.condition }}
    union all
    {% endfor -%}
    select
        cast(null as varchar) as customer_key,
        cast(null as varchar) as tag
    where false

)

select
    tagged.customer_key,
    tagged.tag,
    versions.version,
    {{ date_literal(var('business_date')) }} as business_date,
    coalesce(policy.is_allowed and not policy.is_control, false) as is_contactable,
    cast(
        case
            when policy.customer_key is null then 'unknown to the policy'
            when not policy.is_allowed then policy.block_reason
            when policy.is_control then 'control group'
        end as varchar
    ) as block_reason
from tagged
inner join versions on tagged.tag = versions.tag
left join policy on tagged.customer_key = policy.customer_key
