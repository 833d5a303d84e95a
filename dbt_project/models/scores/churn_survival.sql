{{ config(meta={'partition_by': 'as_of_date'}) }}

select
    customer_key,
    as_of_date,
    {%- for days in [30, 60, 90, 180, 365] %}
    stay_{{ days }}d_rate,
    {%- endfor %}
    band,
    rank,
    model_name,
    model_version,
    feature_version,
    scored_at
from {{ ref('int_score__survival_curves') }}
