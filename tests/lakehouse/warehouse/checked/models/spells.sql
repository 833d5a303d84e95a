select
    cast(customer_key as varchar) as customer_key,
    cast(valid_from as date) as valid_from,
    cast(valid_to as date) as valid_to,
    kind,
    amount
from (
    values
        ('a', '2026-01-01', '2026-01-05', 'x', 1),
        ('a', '2026-01-05', null, 'y', 2)
        {%- if var('broken') %},
        ('a', '2026-01-05', '2026-01-04', 'y', 2),
        (null, '2026-01-06', null, 'z', -1)
        {%- endif %}
) as rows_of (customer_key, valid_from, valid_to, kind, amount)
