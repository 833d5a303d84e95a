-- Grain: customer, kind, detail and date: what the rules of change say, by the limits of the customer's segment.
-- Changes of assets are not among them: those are change-points (customer_changes).
with changes as (

    {% for kind in ['income', 'counterparties', 'habits', 'maturity', 'wallets', 'complaints', 'records', 'outflows',
        'payers'] -%}
    select * from {{ ref('int_customer__changes_of_' ~ kind) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    cast(customer_key as varchar) as customer_key,
    cast(change_kind as varchar) as change_kind,
    cast(change_detail as varchar) as change_detail,
    change_date,
    cast(segment as varchar) as segment,
    amount,
    previous_amount,
    change_count,
    previous_count,
    event_date
from changes
where change_date > {{ change_lookback() }}
    and change_date <= {{ date_literal(var('business_date')) }}
