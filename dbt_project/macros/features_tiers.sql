{# The star tiers of the deployment's currency: from `lower_amount` of average assets on, below `upper_amount` (null at
   the top). #}
{% macro features_tiers() %}
    select
        star_tier,
        minimum_average_aum_amount as lower_amount,
        lead(minimum_average_aum_amount) over (order by star_tier) as upper_amount
    from {{ ref('tier_thresholds') }}
    where currency = '{{ var("currency") }}'
{% endmacro %}
