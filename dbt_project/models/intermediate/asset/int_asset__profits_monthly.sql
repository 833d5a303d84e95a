{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='as_of_date', whole_months=true,
    on_schema_change='fail'
) }}
-- Grain: asset (an account or a holding) and as-of date (month-ends, and the business date): what it earned the bank
-- in the month up to that day. Treasury pays the transfer price for deposits; the customer's rate is the account's,
-- else the product's; where neither is known, what was credited as interest.
with as_of_dates as (

    {{ as_of_dates_of_run() }}

),

asset_values as (

    select * from {{ ref('int_asset__values') }}
    where {{ months_of_run('as_of_date') }}

),

account_spells as (

    select
        account_no_token,
        party_key,
        product_code,
        interest_rate,
        business_date as valid_from,
        lead(business_date) over (partition by account_no_token order by business_date) as valid_to
    from {{ ref('int_account__states') }}

),

-- a holding stays with who bought it
first_days as (

    select
        holding_id,
        min(business_date) as first_date
    from {{ ref('fct_holdings_daily') }}
    group by holding_id

),

posted as (

    select
        postings.account_no_token,
        as_of_dates.as_of_date,
        sum(case when postings.txn_type = 'fee' then -postings.signed_amount else 0 end) as fee_amount,
        sum(case when postings.txn_type = 'interest' then postings.signed_amount else 0 end) as interest_amount
    from {{ ref('fct_transactions') }} as postings
    inner join as_of_dates
        on postings.business_date >= as_of_dates.month_date and postings.business_date <= as_of_dates.as_of_date
    where postings.txn_type in ('fee', 'interest')
        and {{ months_of_run('postings.business_date') }}
    group by postings.account_no_token, as_of_dates.as_of_date

),

held as (

    select
        'deposit' as asset_class,
        spells.account_no_token as asset_id,
        as_of_dates.as_of_date,
        spells.party_key,
        spells.product_code,
        spells.interest_rate,
        coalesce(asset_values.month_days_amount, 0) as month_days_amount,
        coalesce(posted.fee_amount, 0) as posted_fee_amount,
        coalesce(posted.interest_amount, 0) as posted_interest_amount,
        0 as sold_amount
    from as_of_dates
    inner join account_spells as spells on {{ is_valid_on('spells', 'as_of_dates.as_of_date') }}
    left join asset_values
        on asset_values.asset_class = 'deposit'
            and spells.account_no_token = asset_values.asset_id
            and as_of_dates.as_of_date = asset_values.as_of_date
    left join posted on spells.account_no_token = posted.account_no_token and as_of_dates.as_of_date = posted.as_of_date
    where asset_values.asset_id is not null or posted.account_no_token is not null

    union all

    select
        'investment' as asset_class,
        asset_values.asset_id,
        asset_values.as_of_date,
        holdings.party_key,
        holdings.product_code,
        cast(null as decimal(12, 6)) as interest_rate,
        asset_values.month_days_amount,
        0 as posted_fee_amount,
        0 as posted_interest_amount,
        case
            when cast(date_trunc('month', holdings.start_date) as date)
                = cast(date_trunc('month', asset_values.as_of_date) as date)
                and holdings.start_date <= asset_values.as_of_date
                then coalesce(holdings.cost_amount, holdings.market_value_amount)
            else 0
        end as sold_amount
    from asset_values
    inner join first_days on asset_values.asset_id = first_days.holding_id
    inner join {{ ref('fct_holdings_daily') }} as holdings
        on first_days.holding_id = holdings.holding_id and first_days.first_date = holdings.business_date
    where asset_values.asset_class = 'investment'

),

priced as (

    select
        held.*,
        margins.product_family,
        margins.fee_rate,
        margins.sale_fee_rate,
        margins.transfer_rate,
        coalesce(held.interest_rate, margins.interest_rate) as customer_rate
    from held
    left join {{ ref('int_product__margins') }} as margins on held.product_code = margins.product_code

),

earned as (

    select
        priced.*,
        case
            when transfer_rate is null then 0
            when customer_rate is null
                then cast(month_days_amount as double precision) * cast(transfer_rate as double precision) / 365
                    - cast(posted_interest_amount as double precision)
            else
                cast(month_days_amount as double precision)
                * (cast(transfer_rate as double precision) - cast(customer_rate as double precision)) / 365
        end as net_interest,
        cast(month_days_amount as double precision) * cast(coalesce(fee_rate, 0) as double precision) / 365
        + cast(sold_amount as double precision) * cast(coalesce(sale_fee_rate, 0) as double precision)
        + cast(posted_fee_amount as double precision) as fee
    from priced

)

select
    asset_class,
    asset_id,
    as_of_date,
    party_key,
    product_code,
    product_family,
    {{ average_amount('month_days_amount', 'cast(extract(day from as_of_date) as integer)') }} as average_amount,
    cast({{ whole_cents('net_interest') }} as decimal(38, 2)) as net_interest_amount,
    cast({{ whole_cents('fee') }} as decimal(38, 2)) as fee_amount
from earned
