with scores as (
    select * from {{ ref('churn_survival') }}
),

links as (
    select * from {{ ref('int_party__customers') }}
),

resolved as (
    select
        links.customer_key,
        scores.as_of_date,
        {%- for days in [30, 60, 90, 180, 365] %}
        scores.stay_{{ days }}d_rate,
        {%- endfor %}
        scores.band,
        scores.rank,
        scores.model_name,
        scores.model_version,
        scores.feature_version,
        scores.scored_at,
        row_number() over (partition by links.customer_key order by scores.stay_90d_rate, scores.customer_key) as place
    from scores
    inner join (select max(every_score.as_of_date) as as_of_date from scores as every_score) as last_date
        on scores.as_of_date = last_date.as_of_date
    inner join links on scores.customer_key = links.party_key
)

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
from resolved
where place = 1 and {{ is_not_refused('resolved.customer_key', 'score', "'churn_survival'") }}
