-- Few figures, each of one table and one date: what is restated of the past shows in them (ops.restatements).
with days as (

    select
        business_date,
        sum(txn_count) as posting_count,
        sum(credit_amount + debit_amount) as posting_amount,
        sum(credit_amount - debit_amount) as net_amount
    from {{ ref('fct_balances_daily') }}
    group by business_date

),

balances as (

    select
        *,
        sum(net_amount) over (order by business_date rows unbounded preceding) as balance_amount
    from days

),

positions as (

    select
        as_of_date,
        sum(case when asset_count > 0 then 1 else 0 end) as customer_count,
        sum(deposit_amount) as deposit_amount,
        sum(aum_amount) as aum_amount
    from {{ ref('customer_360_monthly') }}
    group by as_of_date

),

figures as (
{%- for table, measures in {
    'fct_balances_daily': ('balances', 'business_date', ['posting_count', 'posting_amount', 'balance_amount']),
    'customer_360_monthly': ('positions', 'as_of_date', ['customer_count', 'deposit_amount', 'aum_amount']),
}.items() %}
    {%- set outer = loop %}
    {%- for measure in measures[2] %}

    select
        'marts.{{ table }}' as table_name,
        '{{ measure }}' as measure,
        {{ measures[1] }} as figure_date,
        {{ measure }} as figure_value
    from {{ measures[0] }}
    {%- if not (loop.last and outer.last) %}
    union all
    {%- endif %}
    {%- endfor %}
{%- endfor %}

)

select
    cast(table_name as varchar) as table_name,
    cast(measure as varchar) as measure,
    figure_date,
    cast(figure_value as decimal(38, 2)) as figure_value
from figures
