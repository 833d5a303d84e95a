-- Grain: customer, at the business date. What roles that do not serve the person see of who somebody is: a band of ages
-- is shown if enough customers of the same kind, gender and branch are in it, and a period of opening if enough of
-- those are. Where what is left out would be too few, the next smallest goes with it: then they are not told apart by
-- having nothing.
{%- set least = limit('privacy_limits', 'least_group_size') %}
{%- set bands = var('age_bands') %}
{%- set years = var('opened_period_years') %}
{%- set known = 'party_type, gender, home_branch_code' %}
with people as (

    select
        positions.customer_key,
        profiles.party_type,
        profiles.gender,
        profiles.home_branch_code,
        case
            when profiles.party_type = 'P'
                then cast(extract(year from positions.as_of_date) as integer) - profiles.birth_year
        end as age_years,
        cast(extract(year from profiles.opened_date) as integer) as opened_year
    from {{ ref('int_customer__position_today') }} as positions
    inner join {{ ref('int_customer__profiles') }} as profiles on positions.customer_key = profiles.customer_key
    where profiles.is_current

),

banded as (

    select
        customer_key,
        {{ known }},
        case
            {%- for low in bands | reverse %}
            when age_years >= {{ low }} then {{ low }}
            {%- endfor %}
            when age_years is not null then 0
            else -1
        end as age_from,
        coalesce(opened_year - mod(opened_year, {{ years }}), -1) as opened_from
    from people

),

sized as (

    select
        *,
        count(*) over (partition by {{ known }}, age_from) as age_size,
        count(*) over (partition by {{ known }}, age_from, opened_from) as opened_size
    from banded

),

ranked as (

    select
        *,
        count(*) over (partition by {{ known }} order by age_size, age_from) - age_size as smaller_ages,
        count(*) over (partition by {{ known }}, age_from order by opened_size, opened_from) - opened_size
            as smaller_openings
    from sized

),

judged as (

    select
        *,
        age_from >= 0
        and age_size >= {{ least }}
        and (smaller_ages = 0 or smaller_ages >= {{ least }}) as has_age,
        opened_from >= 0
        and opened_size >= {{ least }}
        and (smaller_openings = 0 or smaller_openings >= {{ least }}) as has_opening
    from ranked

)

select
    customer_key,
    {{ known }},
    case
        when not has_age then cast(null as varchar)
        when age_from = 0 then cast('under {{ bands[0] }}' as varchar)
        {%- for low in bands[:-1] %}
        when age_from = {{ low }} then cast('{{ low }}-{{ bands[loop.index] - 1 }}' as varchar)
        {%- endfor %}
        else cast('{{ bands[-1] }} and over' as varchar)
    end as age_band,
    case
        when has_age and has_opening
            then cast(cast(opened_from as varchar) || '-' || cast(opened_from + {{ years - 1 }} as varchar) as varchar)
    end as opened_period
from judged
