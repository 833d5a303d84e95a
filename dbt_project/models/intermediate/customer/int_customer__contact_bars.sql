-- noqa: disable=LT02
-- Grain: customer, at the business date. Each bar of the contact policy by itself: a receipt keeps them, and judges
-- them again.
with facts as (

    select * from {{ ref('int_customer__contact_facts') }}

)

select
    customer_key,
    {%- for bar in contact_bars() %}
    coalesce({{ bar.condition }}, false) as {{ bar.column }}{{ ',' if not loop.last }}
    {%- endfor %}
from facts
