{% set day = date_literal(var('business_date')) %}
{#- what the bank gains by asking comes first, by its worth; the rest is for those who ask, by what they may want #}
{% set worth = 'case when expected_value > 0 then expected_value else probability end * preference' %}
{% set order = 'case when expected_value > 0 then 0 else 1 end, ' ~ worth ~ ' desc, product_code' %}

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

-- who takes the deposits away, by today's score; yesterday's says nothing where today's abstains
leaving as (
    select * from {{ ref('deposit_churn_latest') }}
    where as_of_date = {{ day }}
),

likely as (
    select
        candidates.*,
        coalesce(propensities.probability * candidates.line_share, candidates.popularity) as probability,
        case when propensities.probability is null then 'popularity' else 'propensity' end as basis,
        propensities.reason_1_code as reason_code,
        leaving.probability as leaving_probability,
        -- of the money on demand, the share of the term for which it would have been gone: half of it lies before the
        -- day on which it leaves
        candidates.replaced_margin_amount
        * coalesce(1 - power(1 - leaving.probability, candidates.counted_days / 180.0), 0) as kept_margin_amount
    from candidates
    left join propensities
        on candidates.customer_key = propensities.customer_key and candidates.product_line = propensities.product_line
    left join leaving on candidates.customer_key = leaving.customer_key
    where {{ is_not_refused('candidates.customer_key', 'score', "'product_recommendations'") }}
),

valued as (
    select
        *,
        probability * (new_margin_amount - replaced_margin_amount + kept_margin_amount)
        - cast({{ limit('contact_limits', 'call_cost_amount') }} as double precision) as expected_value
    from likely
),

placed as (
    select
        *,
        row_number() over (partition by customer_key order by {{ order }}) as place,
        row_number() over (partition by customer_key, preference > 1 order by {{ order }}) as place_of_kind
    from valued
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
    {%- for measure in ['new_margin_amount', 'replaced_margin_amount', 'kept_margin_amount'] %}
    cast({{ whole_cents('chosen.' ~ measure) }} as decimal(18, 2)) as {{ measure }},
    {%- endfor %}
    cast({{ whole_cents('chosen.expected_value') }} as decimal(18, 2)) as expected_value_amount,
    chosen.expected_value > 0 and chosen.new_margin_amount < chosen.replaced_margin_amount as is_retention,
    chosen.reason_code,
    cast(
        lines.phrase_en || '; {{ var("currency") }} ' || {{ thousands('chosen.amount') }}
        || ' lie free beyond usual spending; '
        || case
            when chosen.basis = 'popularity' then 'what customers like this one buy'
            else coalesce('speaks for it: ' || sentences.sentence_en, 'likely by all that is known')
        end
        || case
            when chosen.expected_value > 0 and chosen.new_margin_amount < chosen.replaced_margin_amount
                then '; it earns the bank less than the deposits, but keeps money that may leave: '
                    || cast(cast(round(100 * chosen.leaving_probability) as integer) as varchar) || ' % within 90 days'
            else ''
        end as varchar
    ) as reason_en,
    cast(
        lines.phrase_zh || '；日常支出之外可用资金 ' || {{ thousands('chosen.amount') }} || ' {{ var("currency") }}；'
        || case
            when chosen.basis = 'popularity' then '相似客户常购'
            else coalesce('主要依据：' || sentences.sentence_zh, '综合判断购买可能性较高')
        end
        || case
            when chosen.expected_value > 0 and chosen.new_margin_amount < chosen.replaced_margin_amount
                then '；收益低于存款，但可留住可能流失的资金：90天内流失概率'
                    || cast(cast(round(100 * chosen.leaving_probability) as integer) as varchar) || '%'
            else ''
        end as varchar
    ) as reason_zh
from chosen
inner join products on chosen.product_code = products.product_code
inner join lines on chosen.product_family = lines.product_family
inner join profiles on chosen.customer_key = profiles.customer_key
left join sentences
    on chosen.customer_key = sentences.customer_key and 'propensity_' || chosen.product_line = sentences.task
where chosen.choice <= 3
