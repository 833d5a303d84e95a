-- A week that is not over holds a part of its outflow, and a balance of another weekday.
select
    measure,
    branch_code,
    product_family,
    week_end_date,
    amount
from {{ ref('int_money__series_weekly') }}
where week_end_date <= {{ date_literal(var('business_date')) }}
