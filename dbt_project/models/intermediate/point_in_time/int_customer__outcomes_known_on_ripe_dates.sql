with features as (
    select customer_key, as_of_date from {{ ref('customer_features') }}
),

ripe_dates as (
    select * from {{ ref('int_calendar__ripe_dates') }}
),

identity as (
    select * from {{ ref('int_party__customers_known_on_ripe_dates') }}
),

positions as (
    select * from {{ ref('int_customer__positions_known_on_ripe_dates') }}
),

tiers as (
    {{ features_tiers() }}
),

open_accounts as (
    select ripe_date, customer_key
    from {{ ref('int_account__known_on_ripe_dates') }}
    where is_open
    group by ripe_date, customer_key
),

averages as (
    select
        features.customer_key,
        features.as_of_date,
        ripe_dates.ripe_date,
        open_accounts.customer_key is null as has_left,
        cast(coalesce(positions.aum_days_amount_previous_90d, 0) as double precision) / 90 as average_aum_before_amount,
        cast(coalesce(positions.aum_days_amount_90d, 0) as double precision) / 90 as average_aum_after_amount,
        cast(coalesce(positions.deposit_days_amount_previous_90d, 0) as double precision) / 90
            as average_deposit_before_amount,
        -- the difference of two averages would lose the last digit, and with it a customer at a threshold
        cast(
            coalesce(positions.aum_days_amount_previous_90d, 0)
            - coalesce(positions.deposit_days_amount_previous_90d, 0) as double precision
        ) / 90 as average_investment_before_amount,
        coalesce(positions.deposit_amount_0d_ago, 0) as deposit_after_amount,
        coalesce(positions.aum_amount_0d_ago, 0) as aum_after_amount
    from features
    inner join ripe_dates on features.as_of_date = ripe_dates.as_of_date
    inner join identity
        on ripe_dates.ripe_date = identity.ripe_date and features.customer_key = identity.party_key
    left join open_accounts
        on identity.ripe_date = open_accounts.ripe_date and identity.customer_key = open_accounts.customer_key
    left join positions
        on identity.ripe_date = positions.ripe_date and identity.customer_key = positions.customer_key
)

select
    averages.customer_key,
    averages.as_of_date,
    averages.ripe_date,
    averages.has_left,
    coalesce(tiers_before.star_tier, 1) as star_tier_before,
    coalesce(tiers_after.star_tier, 1) as star_tier_after,
    averages.average_deposit_before_amount,
    averages.average_investment_before_amount,
    averages.deposit_after_amount,
    averages.aum_after_amount - averages.deposit_after_amount as investment_after_amount
from averages
left join tiers as tiers_before
    on averages.average_aum_before_amount >= tiers_before.lower_amount
        and (tiers_before.upper_amount is null or averages.average_aum_before_amount < tiers_before.upper_amount)
left join tiers as tiers_after
    on averages.average_aum_after_amount >= tiers_after.lower_amount
        and (tiers_after.upper_amount is null or averages.average_aum_after_amount < tiers_after.upper_amount)
