-- Grain: tag and version. What people have defined by the business date, and whether it still counts then.
{%- set today = date_literal(var('business_date')) %}
with told as (

    select
        definitions.*,
        row_number() over (
            partition by tag, version
            order by business_date desc, _known_date desc, _delivery desc, _row desc
        ) as recency
    from {{ ref('stg_feedback__tag_definitions') }} as definitions
    where business_date <= {{ today }}

),

versions as (

    select
        told.*,
        max(version) over (partition by tag) as last_version,
        min(business_date) over (partition by tag) as first_date
    from told
    where recency = 1

)

select
    tag,
    version,
    version = last_version as is_current,
    case
        when version < last_version then 'replaced'
        when change_kind = 'retire' then 'retired'
        when expires_date < {{ today }} then 'expired'
        else 'active'
    end as state,
    description,
    owner,
    matching,
    conditions,
    first_date,
    business_date as version_date,
    expires_date
from versions
