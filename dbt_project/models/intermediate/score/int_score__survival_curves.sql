{{ config(tags=['serving']) }}
-- Grain: customer, as-of date and model. The probability of leaving within 90 days has one source, the score churn: the
-- curve passes through it. Before, the curve has the shape of the survival model; from then on, its hazards.
{%- set horizons = [30, 60, 90, 180, 365] %}
with scored as (
    select
        customer_key,
        as_of_date,
        {%- for days in horizons %}
        max(case when horizon_days = {{ days }} then 1 - probability end) as stay_{{ days }}d_rate,
        {%- endfor %}
        max(band) as band,
        max(rank) as rank,
        max(model_name) as model_name,
        model_version,
        max(feature_version) as feature_version,
        max(scored_at) as scored_at
    from {{ ref('stg_lake__scores') }}
    where task = 'churn_survival'
    group by customer_key, as_of_date, model_version
),

churns as (
    select
        customer_key,
        as_of_date,
        1 - probability as stay_90d_rate,
        row_number() over (partition by customer_key, as_of_date order by scored_at desc, model_version desc) as recency
    from {{ ref('stg_lake__scores') }}
    where task = 'churn'
),

joined as (
    select
        scored.*,
        coalesce(churns.stay_90d_rate, scored.stay_90d_rate) as anchor_rate
    from scored
    left join churns
        on scored.customer_key = churns.customer_key
            and scored.as_of_date = churns.as_of_date
            and churns.recency = 1
)

select
    customer_key,
    as_of_date,
    {%- for days in horizons %}
    cast(
        {%- if days < 90 %}
        case
            when stay_90d_rate > 0 and stay_90d_rate < 1
                then power(anchor_rate, ln(stay_{{ days }}d_rate) / ln(stay_90d_rate))
            else power(anchor_rate, {{ days }} / 90.0)
        end
        {%- elif days == 90 %}
        anchor_rate
        {%- else %}
        case when stay_90d_rate > 0 then anchor_rate * (stay_{{ days }}d_rate / stay_90d_rate) else 0 end
        {%- endif %} as double precision
    ) as stay_{{ days }}d_rate,
    {%- endfor %}
    cast(band as varchar) as band,
    cast(rank as integer) as rank,
    cast(model_name as varchar) as model_name,
    model_version,
    cast(feature_version as varchar) as feature_version,
    scored_at
from joined
