-- noqa: disable=LT02
-- depends_on: {{ ref('int_customer__histories') }}
{{ config(
    materialized='incremental', incremental_strategy='replace_histories', date_column='as_of_date', whole_months=true,
    history='profile_hash', on_schema_change='fail', meta={'partition_by': 'as_of_date'},
) }}
{%- set first_date = date_literal(month_start(var('from_date'))) %}

with positions as (

    select
        positions.*,
        histories.profile_hash
    from {{ ref('int_customer__positions_monthly') }} as positions
    inner join {{ ref('int_customer__histories') }} as histories on positions.customer_key = histories.customer_key
    inner join {{ ref('dim_date') }} as dates on positions.as_of_date = dates.date_day
    where dates.is_month_end
        {% if is_incremental() -%}
        and (
            positions.as_of_date >= {{ first_date }}
            or (positions.customer_key, histories.profile_hash) not in (
                select customer_key, profile_hash
                from {{ this }}
                where as_of_date = {{ days_before(first_date, 1) }}
            )
        )
        {%- endif %}

),

profiles as (

    select * from {{ ref('dim_customer') }}

),

managers as (

    select
        positions.customer_key,
        positions.as_of_date,
        min(assignments.rm_id) as rm_id
    from positions
    inner join {{ ref('rm_assignment') }} as assignments
        on positions.customer_key = assignments.customer_key
            and {{ is_valid_on('assignments', 'positions.as_of_date') }}
    where positions.life_cycle_stage <> 'lost'
    group by positions.customer_key, positions.as_of_date

)

select
    positions.customer_key,
    positions.as_of_date,
    profiles.party_type,
    profiles.home_branch_code,
    cast(managers.rm_id as varchar) as rm_id,
    positions.deposit_amount,
    positions.investment_amount,
    positions.aum_amount,
    positions.average_aum_3m_amount,
    positions.contribution_3m_amount,
    positions.reached_star_tier,
    positions.star_tier,
    positions.life_cycle_stage,
    positions.life_cycle_reason,
    positions.asset_count,
    {% for channel in var('channels') -%}
    positions.{{ channel }}_count,
    {% endfor -%}
    positions.complaint_count,
    positions.last_activity_date,
    positions.profile_hash
from positions
left join profiles
    on positions.customer_key = profiles.customer_key and {{ is_valid_on('profiles', 'positions.as_of_date') }}
left join managers on positions.customer_key = managers.customer_key and positions.as_of_date = managers.as_of_date
