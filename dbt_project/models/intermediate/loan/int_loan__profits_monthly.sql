{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='as_of_date', whole_months=true,
    on_schema_change='fail'
) }}
-- Grain: loan and as-of date (month-ends, and the business date): what it earned the bank in the month up to that day,
-- on the average of the debt at its beginning and its end. Repaid principal is no income.
with balances as (

    select * from {{ ref('int_loan__balances_monthly') }}
    where as_of_date >= {{ days_before(date_literal(month_start(var('from_date'))), 1) }}

),

earning as (

    select
        balances.*,
        cast(extract(day from balances.as_of_date) as integer) as month_days,
        case
            when earlier.loan_no is not null then earlier.outstanding_amount
            when balances.granted_date > {{ month_end_before('balances.as_of_date') }} then 0
            else balances.outstanding_amount
        end + balances.outstanding_amount as both_ends_amount
    from balances
    left join balances as earlier
        on balances.loan_no = earlier.loan_no
            and earlier.as_of_date = {{ month_end_before('balances.as_of_date') }}
    where {{ months_of_run('balances.as_of_date') }}

),

prices as (

    select * from {{ ref('transfer_prices') }}
    where currency = '{{ var("currency") }}' and product_family = 'loan'

),

priced as (

    select
        earning.*,
        {{ average_amount('earning.both_ends_amount', 2) }} as average_amount,
        coalesce(earning.interest_rate, products.interest_rate) as customer_rate,
        prices.transfer_rate,
        row_number() over (
            partition by earning.loan_no, earning.as_of_date order by prices.minimum_term_days desc
        ) as place
    from earning
    left join {{ ref('stg_reference__products') }} as products on earning.product_code = products.product_code
    left join prices on prices.minimum_term_days <= earning.term_months * 30.5

),

earned as (

    select
        priced.*,
        coalesce(
            cast(average_amount as double precision) * month_days
            * (cast(customer_rate as double precision) - cast(transfer_rate as double precision)) / 365, 0
        ) as net_interest,
        cast(average_amount as double precision) * month_days
        * cast(default_rate as double precision) * cast(loss_given_default_rate as double precision) / 365 as risk_cost
    from priced

)

select
    loan_no,
    as_of_date,
    party_key,
    product_code,
    'loan' as product_family,
    average_amount,
    cast({{ whole_cents('net_interest') }} as decimal(38, 2)) as net_interest_amount,
    cast({{ whole_cents('risk_cost') }} as decimal(38, 2)) as risk_cost_amount
from earned
where place = 1 and average_amount <> 0
