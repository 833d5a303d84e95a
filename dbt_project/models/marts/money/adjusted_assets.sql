{{ config(tags=['serving']) }}
-- The bank's own figure, what is adjusted, and both together, side by side: an adjustment reaches no customer.
with figures as (

    select
        as_of_date,
        home_branch_code,
        sum(deposit_amount) as deposit_amount,
        sum(investment_amount) as investment_amount
    from {{ ref('customer_positions') }}
    group by as_of_date, home_branch_code

),

adjustments as (

    select
        dates.as_of_date,
        adjustments.branch_code as home_branch_code,
        sum(case when adjustments.element = 'marts.customer_360.deposit_amount' then adjustments.amount else 0 end)
            as deposit_adjustment_amount,
        sum(case when adjustments.element = 'marts.customer_360.investment_amount' then adjustments.amount else 0 end)
            as investment_adjustment_amount
    from {{ ref('int_ops__adjustments') }} as adjustments
    inner join (select distinct as_of_date from figures) as dates on adjustments.effective_date <= dates.as_of_date
    where adjustments.refusal is null
    group by dates.as_of_date, adjustments.branch_code

),

-- a branch may have an adjustment and no customer, or customers that no branch keeps
rows_of_both as (

    select
        as_of_date,
        home_branch_code,
        deposit_amount,
        investment_amount,
        0 as deposit_adjustment_amount,
        0 as investment_adjustment_amount
    from figures
    union all
    select
        as_of_date,
        home_branch_code,
        0 as deposit_amount,
        0 as investment_amount,
        deposit_adjustment_amount,
        investment_adjustment_amount
    from adjustments

),

added as (

    select
        as_of_date,
        home_branch_code,
        sum(deposit_amount) as deposit_amount,
        sum(deposit_adjustment_amount) as deposit_adjustment_amount,
        sum(investment_amount) as investment_amount,
        sum(investment_adjustment_amount) as investment_adjustment_amount
    from rows_of_both
    group by as_of_date, home_branch_code

)

select
    as_of_date,
    cast(home_branch_code as varchar) as home_branch_code,
    cast(deposit_amount as decimal(38, 2)) as deposit_amount,
    cast(deposit_adjustment_amount as decimal(38, 2)) as deposit_adjustment_amount,
    cast(deposit_amount + deposit_adjustment_amount as decimal(38, 2)) as adjusted_deposit_amount,
    cast(investment_amount as decimal(38, 2)) as investment_amount,
    cast(investment_adjustment_amount as decimal(38, 2)) as investment_adjustment_amount,
    cast(investment_amount + investment_adjustment_amount as decimal(38, 2)) as adjusted_investment_amount,
    cast(deposit_amount + investment_amount as decimal(38, 2)) as aum_amount,
    cast(deposit_adjustment_amount + investment_adjustment_amount as decimal(38, 2)) as aum_adjustment_amount,
    cast(
        deposit_amount + deposit_adjustment_amount + investment_amount + investment_adjustment_amount as decimal(38, 2)
    ) as adjusted_aum_amount
from added
