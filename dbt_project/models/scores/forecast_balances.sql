select
    measure,
    level as series_level,
    branch_code,
    product_family,
    as_of_date,
    horizon_weeks,
    week_end_date,
    {% for amount in ['mean', 'lower_80', 'upper_80', 'lower_95', 'upper_95', 'baseline'] -%}
    cast({{ amount }}_amount as decimal(38, 2)) as {{ amount }}_amount,
    {% endfor -%}
    model,
    baseline
from {{ ref('stg_lake__forecast_balances') }}
