{# Whether an outflow is large for whoever had the assets: by its share of them or by its sum, as `outflow_limits` say.
   What the bank had lent is taken off the amount before. #}
{% macro is_large_outflow(amount) -%}
    coalesce({{ amount }} >= limits.sum_amount, false)
    or coalesce(
        {{ amount }} >= limits.share_minimum_amount
        and {{ amount }} >= limits.share_rate * assets.assets_before_amount, false
    )
{%- endmacro %}
