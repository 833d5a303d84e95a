{# The lines of products that customers buy: values of the seed product_lines. #}
{% macro product_lines() %}{{ return(
    ['term_deposit', 'structured', 'wealth', 'fund', 'precious_metal']
) }}{% endmacro %}

{# The catalogue as known on each `day` of `dates`, of products in a line. Grain: `day` x product_code. #}
{% macro products_known_on(dates, day) %}
select
    dates.{{ day }},
    products.product_code,
    products.product_family,
    lines.product_line,
    cast(substring(products.risk_rating, 3, 1) as integer) as risk_level,
    coalesce(products.minimum_amount, 0) as minimum_amount,
    products.term_days
from {{ ref('stg_reference__products_versions') }} as products
inner join {{ dates }} as dates on {{ is_known_on('products', 'dates.' ~ day) }}
inner join {{ ref('product_lines') }} as lines on products.product_family = lines.product_family
{% endmacro %}
