{{ config(meta={'partition_by': 'as_of_date'}) }}

select
    customer_key,
    as_of_date,
    {%- for days in [30, 60, 90, 180, 365] %}
    cast(max(case when horizon_days = {{ days }} then 1 - probability end) as double precision)
        as stay_{{ days }}d_rate,
    {%- endfor %}
    cast(max(band) as varchar) as band,
    cast(max(rank) as integer) as rank,
    cast(max(model_name) as varchar) as model_name,
    model_version,
    cast(max(feature_version) as varchar) as feature_version,
    max(scored_at) as scored_at
from {{ ref('stg_lake__scores') }}
where task = 'churn_survival'
group by customer_key, as_of_date, model_version
