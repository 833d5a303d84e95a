-- noqa: disable=LT02
{{ config(tags=['serving']) }}
with segments as (

    select * from {{ ref('stg_lake__segments') }}

),

costs as (

    {{ service_unit_costs() }}

),

known as (

    select
        segments.segment_id,
        segments.as_of_date,
        features.aum_amount,
        features.deposit_amount,
        positions.contribution_3m_amount,
        {% for channel in var('channels') -%}
        {{ '+ ' if not loop.first }}coalesce(positions.{{ channel }}_count, 0) * costs.{{ channel }}_amount
        {% endfor -%}
        as service_cost_amount,
        scores.probability as churn_probability,
        labels.label as churn_label
    from segments
    inner join {{ ref('customer_features') }} as features
        on segments.customer_key = features.customer_key and segments.as_of_date = features.as_of_date
    left join {{ ref('int_customer__positions_monthly') }} as positions
        on segments.customer_key = positions.customer_key and segments.as_of_date = positions.as_of_date
    left join {{ ref('churn') }} as scores
        on segments.customer_key = scores.customer_key and segments.as_of_date = scores.as_of_date
    left join {{ ref('label_churn') }} as labels
        on segments.customer_key = labels.customer_key and segments.as_of_date = labels.as_of_date
    cross join costs

),

sums as (

    select
        segment_id,
        as_of_date,
        count(*) as customer_count,
        cast(sum(cast(aum_amount as decimal(38, 2))) as decimal(38, 2)) as aum_amount,
        cast(sum(cast(deposit_amount as decimal(38, 2))) as decimal(38, 2)) as deposit_amount,
        cast(sum(coalesce(contribution_3m_amount, 0)) as decimal(38, 2)) as contribution_3m_amount,
        cast(sum(service_cost_amount) as decimal(38, 2)) as service_cost_amount,
        -- of decimals, whose sum does not hang on the order
        sum(cast(churn_probability as decimal(38, 9))) as churn_probability,
        count(churn_probability) as scored_count,
        count(churn_label) as churn_known_count,
        sum(churn_label) as churned_count
    from known
    group by segment_id, as_of_date

),

options as (

    select * from {{ ref('segment_responses') }}
    where option_rank = 1

)

select
    sums.segment_id,
    named.segment_name_en,
    named.segment_name_zh,
    named.profile_en,
    named.profile_zh,
    sums.as_of_date,
    ---------- size and value
    cast(sums.customer_count as bigint) as customer_count,
    {{ share_of('sums.customer_count', 'sum(sums.customer_count) over (partition by sums.as_of_date)') }}
        as customer_share,
    sums.aum_amount,
    sums.deposit_amount,
    {{ average_amount('sums.aum_amount', 'sums.customer_count') }} as average_aum_amount,
    sums.contribution_3m_amount,
    {{ average_amount('sums.contribution_3m_amount', 'sums.customer_count') }} as average_contribution_3m_amount,
    sums.service_cost_amount,
    {{ average_amount('sums.service_cost_amount', 'sums.customer_count') }} as average_service_cost_amount,
    ---------- who leaves
    {{ share_of('sums.churn_probability', 'nullif(sums.scored_count, 0)') }} as churn_probability,
    cast(sums.churn_known_count as bigint) as churn_known_count,
    {{ share_of('sums.churned_count', 'nullif(sums.churn_known_count, 0)') }} as churn_rate,
    {{ wilson_bound('sums.churned_count', 'nullif(sums.churn_known_count, 0)', '-') }} as churn_rate_low,
    {{ wilson_bound('sums.churned_count', 'nullif(sums.churn_known_count, 0)', '+') }} as churn_rate_high,
    ---------- what works
    channels.option_code as best_channel,
    channels.touch_count as best_channel_touch_count,
    channels.answer_rate as best_channel_rate,
    channels.answer_rate_low as best_channel_rate_low,
    channels.answer_rate_high as best_channel_rate_high,
    offers.option_code as best_offer_code,
    offers.touch_count as best_offer_touch_count,
    offers.answer_rate as best_offer_rate,
    offers.answer_rate_low as best_offer_rate_low,
    offers.answer_rate_high as best_offer_rate_high,
    ---------- how stable
    stability.stayed_rate,
    stability.customers_rand,
    stability.customers_rand_low,
    stability.customers_rand_high,
    stability.refit_rand,
    stability.refit_rand_low,
    stability.refit_rand_high,
    named.model_version
from sums
inner join {{ ref('stg_lake__segment_groups') }} as named on sums.segment_id = named.segment_id
left join options as channels on sums.segment_id = channels.segment_id and channels.option_kind = 'channel'
left join options as offers on sums.segment_id = offers.segment_id and offers.option_kind = 'offer'
left join {{ ref('stg_lake__segment_stability') }} as stability on sums.as_of_date = stability.as_of_date
