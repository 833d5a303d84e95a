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

    select
        'marts.fct_balances_daily' as table_name,
        'posting_count' as measure,
        business_date as figure_date,
        posting_count as figure_value
    from balances
    union all
    select
        'marts.fct_balances_daily' as table_name,
        'posting_amount' as measure,
        business_date as figure_date,
        posting_amount as figure_value
    from balances
    union all
    select
        'marts.fct_balances_daily' as table_name,
        'balance_amount' as measure,
        business_date as figure_date,
        balance_amount as figure_value
    from balances
    union all
    select
        'marts.customer_360_monthly' as table_name,
        'customer_count' as measure,
        as_of_date as figure_date,
        customer_count as figure_value
    from positions
    union all
    select
        'marts.customer_360_monthly' as table_name,
        'deposit_amount' as measure,
        as_of_date as figure_date,
        deposit_amount as figure_value
    from positions
    union all
    select
        'marts.customer_360_monthly' as table_name,
        'aum_amount' as measure,
        as_of_date as figure_date,
        aum_amount as figure_value
    from positions

)

select
    cast(table_name as varchar) as table_name,
    cast(measure as varchar) as measure,
    figure_date,
    cast(figure_value as decimal(38, 2)) as figure_value
from figures
