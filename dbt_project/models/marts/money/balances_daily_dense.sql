{{ config(materialized='view') }}
-- A view: 365 rows a year for every account are cheap to derive and dear to keep. Filter it by account or by day.
with changes as (

    select
        account_no_token,
        party_key,
        business_date,
        balance_amount,
        lead(business_date) over (partition by account_no_token order by business_date) as next_date
    from {{ ref('fct_balances_daily') }}

),

dates as (

    select * from {{ ref('dim_date') }}

)

select
    changes.account_no_token,
    changes.party_key,
    dates.date_day as business_date,
    changes.balance_amount,
    dates.date_day = changes.business_date as is_change
from changes
inner join dates
    on dates.date_day >= changes.business_date
        and dates.date_day <= {{ date_literal(var('business_date')) }}
        and (dates.date_day < changes.next_date or changes.next_date is null)
