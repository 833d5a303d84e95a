{{ config(materialized='ephemeral') }}
-- Grain: account and day, the run's dates: the bank's own end-of-day balance as last told. Periods do not overlap, so
-- two rows for one day mean that one of them came with another day's delivery: only those few are ranked.
with balances as (

    select * from {{ ref('stg_branch__balances') }}
    where {{ dates_of_run('business_date') }}

),

told_again as (

    select distinct
        account_no_token,
        business_date
    from balances
    where split_part(_delivery, '/', 2) <> left(cast(business_date as varchar), length(split_part(_delivery, '/', 2)))

),

contested as (

    select balances.*
    from balances
    inner join told_again
        on balances.account_no_token = told_again.account_no_token and balances.business_date = told_again.business_date

),

settled as (

    {{ last_known('contested', ['account_no_token', 'business_date']) }}

)

select account_no_token, business_date, balance from settled
union all
select account_no_token, business_date, balance from balances
where not exists (
        select 1 from told_again
        where told_again.account_no_token = balances.account_no_token
            and told_again.business_date = balances.business_date
    )
