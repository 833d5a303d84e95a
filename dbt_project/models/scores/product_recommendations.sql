{% set day = date_literal(var('business_date')) %}
{% set worth = 'probability * value_amount * preference' %}

with candidates as (
    select * from {{ ref('int_recommendation__candidates') }}
    where as_of_date = {{ day }}
),

propensities as (
    select * from {{ ref('product_propensity_latest') }}
    where as_of_date = {{ day }}
),

products as (
    select * from {{ ref('dim_product') }}
),

profiles as (
    select * from {{ ref('dim_customer') }}
    where is_current
),

lines as (
    select * from {{ ref('product_lines') }}
),

sentences as (
    select * from {{ ref('score_reasons') }}
    where as_of_date = {{ day }} and place = 1
),

likely as (
    select
        candidates.*,
        coalesce(propensities.probability * candidates.line_share, candidates.popularity) as probability,
        case when propensities.probability is null then 'popularity' else 'propensity' end as basis,
        propensities.reason_1_code as reason_code
    from candidates
    left join propensities
        on candidates.customer_key = propensities.customer_key and candidates.product_line = propensities.product_line
),

placed as (
    select
        *,
        row_number() over (partition by customer_key order by {{ worth }} desc, product_code) as place,
        row_number() over (partition by customer_key, preference > 1 order by {{ worth }} desc, product_code)
            as place_of_kind
    from likely
),

chosen as (
    select
        *,
        row_number() over (
            partition by customer_key
            order by case when place <= 2 or (preference > 1 and place_of_kind = 1) then 0 else 1 end, place
        ) as choice
    from placed
)

select
    chosen.customer_key,
    chosen.as_of_date,
    cast(row_number() over (partition by chosen.customer_key order by chosen.place) as integer) as rank,
    chosen.product_code,
    products.product_name,
    chosen.product_family,
    chosen.product_line,
    products.risk_rating as product_risk_rating,
    profiles.risk_rating as customer_risk_rating,
    products.term_days,
    products.minimum_amount,
    cast(chosen.amount as decimal(18, 2)) as amount,
    chosen.probability,
    cast(chosen.basis as varchar) as basis,
    cast(cast(floor(chosen.probability * chosen.value_amount * 100 + 0.5) as bigint) * 0.01 as decimal(18, 2))
        as expected_value_amount,
    chosen.reason_code,
    cast(
        lines.phrase_en || '; {{ var("currency") }} ' || {{ thousands('chosen.amount') }}
        || ' lie free beyond usual spending; '
        || case
            when chosen.basis = 'popularity' then 'what customers like this one buy'
            else coalesce('speaks for it: ' || sentences.sentence_en, 'likely by all that is known')
        end as varchar
    ) as reason_en,
    cast(
        lines.phrase_zh || '；日常支出之外可用资金 ' || {{ thousands('chosen.amount') }} || ' {{ var("currency") }}；'
        || case
            when chosen.basis = 'popularity' then '相似客户常购'
            else coalesce('主要依据：' || sentences.sentence_zh, '综合判断购买可能性较高')
        end as varchar
    ) as reason_zh
from chosen
inner join products on chosen.product_code = products.product_code
inner join lines on chosen.product_family = lines.product_family
inner join profiles on chosen.customer_key = profiles.customer_key
left join sentences
    on chosen.customer_key = sentences.customer_key and 'propensity_' || chosen.product_line = sentences.task
where chosen.choice <= 3
