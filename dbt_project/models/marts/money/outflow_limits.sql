select
    limits.flow_kind,
    limits.star_tier,
    limits.share_rate,
    limits.share_minimum_amount,
    limits.sum_amount,
    limits.payee_amount,
    limits.payee_rate,
    cast({{ limit('money_thresholds', 'outflow_pay_days') }} as integer) as pay_days,
    cast({{ limit('money_thresholds', 'outflow_lent_days') }} as integer) as lent_days
from {{ ref('outflow_limits_by_tier') }} as limits
