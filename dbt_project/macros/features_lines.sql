{# Who takes most of one line's money away: what is left of it 90 days later, with what moved into the other line
   meanwhile, is less than the seed's share of the average of the 90 days before. #}
{% macro label_line_churn(line, other) %}
select
    customer_key,
    as_of_date,
    cast(90 as integer) as horizon_days,
    ripe_date,
    cast(
        case
            when {{ line }}_after_amount + greatest({{ other }}_after_amount - average_{{ other }}_before_amount, 0)
                < (1 - {{ limit('line_churn_limits', 'lost_share') }}) * average_{{ line }}_before_amount then 1
            else 0
        end as integer
    ) as label
from {{ ref('int_customer__outcomes_known_on_ripe_dates') }}
where average_{{ line }}_before_amount >= {{ limit('line_churn_limits', 'minimum_amount') }}
{% endmacro %}

