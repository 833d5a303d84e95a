{{ config(tags=['serving']) }}
-- Grain: customer, day, kind and detail of a change, and whether it is true: checked against the rows, one by one, and
-- not against what the rules of change read.
with checked as (

    {% for place in ['payments', 'visits', 'records', 'assets', 'outflows', 'payers'] -%}
    select * from {{ ref('int_customer__changes_checked_in_' ~ place) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    changes.customer_key,
    changes.change_kind,
    changes.change_detail,
    changes.change_date,
    changes.sentence_en,
    coalesce(checked.is_true, false) as is_true
from {{ ref('int_customer__changes_in_words') }} as changes
left join checked
    on changes.customer_key = checked.customer_key
        and changes.change_kind = checked.change_kind
        and changes.change_detail = checked.change_detail
        and changes.change_date = checked.change_date
