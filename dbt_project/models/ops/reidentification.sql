-- Who could be told from others by what somebody else may know of them. As `marts.customer_360` shows it: the exact
-- values to those who serve the person, the coarse ones to all who read customers.
{%- set sets = {
    'important': ['gender', 'birth_year', 'city', 'occupation', 'opened_date'],
    'sensitive': ['party_type', 'gender', 'home_branch_code', 'age_band', 'opened_period'],
} %}
{%- set least = limit('privacy_limits', 'least_group_size') %}
with people as (

    select
        coarse.customer_key,
        coarse.party_type,
        coarse.gender,
        coarse.home_branch_code,
        coarse.age_band,
        coarse.opened_period,
        profiles.birth_year,
        profiles.city,
        profiles.occupation,
        profiles.opened_date
    from {{ ref('int_customer__coarse_profiles') }} as coarse
    inner join {{ ref('int_customer__profiles') }} as profiles on coarse.customer_key = profiles.customer_key
    where profiles.is_current

),

groups as (

    {% for level, columns in sets.items() -%}
    select
        '{{ level }}' as security_level,
        '{{ columns | join(', ') }}' as columns_known,
        count(*) as group_size
    from people
    group by {{ columns | join(', ') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    cast(security_level as varchar) as security_level,
    cast(columns_known as varchar) as columns_known,
    {{ date_literal(var('business_date')) }} as business_date,
    cast(sum(group_size) as bigint) as customer_count,
    cast(count(*) as bigint) as group_count,
    cast(min(group_size) as bigint) as smallest_group_count,
    cast({{ least }} as bigint) as least_group_size,
    cast(sum(case when group_size < {{ least }} then group_size else 0 end) as bigint) as below_least_count,
    cast(sum(case when group_size < {{ least }} then group_size else 0 end) as double precision)
    / sum(group_size) as below_least_share,
    cast(sum(case when group_size = 1 then 1 else 0 end) as bigint) as unique_count,
    cast(sum(case when group_size = 1 then 1 else 0 end) as double precision) / sum(group_size) as unique_share
from groups
group by security_level, columns_known
