with chain_days as (
    select * from {{ ref('int_account__counterparty_days_bitemporal') }}
),

as_of_days as (
    select * from {{ ref('int_calendar__as_of_days') }}
    where days_ago < 90
),

accounts as (
    select * from {{ ref('int_account__known_on_as_of_dates') }}
),

-- whose own money comes in slowly, or who pays instalments late: what they pay others may stop, too
strained as (
    select
        flows.as_of_date,
        flows.customer_key
    from {{ ref('int_customer__flows_known_on_as_of_dates') }} as flows
    left join {{ ref('int_customer__obligations_known_on_as_of_dates') }} as obligations
        on flows.as_of_date = obligations.as_of_date and flows.customer_key = obligations.customer_key
    where flows.inflow_amount_90d
        < {{ limit('money_thresholds', 'strained_inflow_share') }} * flows.inflow_amount_previous_90d
        or obligations.worst_days_past_due > 0
),

counterparties as (
    select
        accounts.as_of_date,
        accounts.customer_key,
        chain_days.direction,
        chain_days.counterparty_account_token,
        sum(chain_days.amount) as amount,
        sum(chain_days.within_amount) as within_amount,
        max(case when others.account_no_token is not null then 1 else 0 end) as is_ours,
        max(case when strained.customer_key is not null then 1 else 0 end) as is_strained,
        max(case when others.is_open then 0 when others.account_no_token is not null then 1 else 0 end) as has_left
    from chain_days
    inner join as_of_days
        on chain_days.business_date = as_of_days.business_date
            and chain_days.known_date <= as_of_days.as_of_date
            and (chain_days.superseded_date is null or chain_days.superseded_date > as_of_days.as_of_date)
    inner join accounts
        on as_of_days.as_of_date = accounts.as_of_date and chain_days.account_no_token = accounts.account_no_token
    left join accounts as others
        on as_of_days.as_of_date = others.as_of_date
            and chain_days.counterparty_in_bank_token = others.account_no_token
    left join strained
        on others.as_of_date = strained.as_of_date and others.customer_key = strained.customer_key
    where others.customer_key is null or others.customer_key <> accounts.customer_key
    group by accounts.as_of_date, accounts.customer_key, chain_days.direction, chain_days.counterparty_account_token
)

select
    as_of_date,
    customer_key,
    cast(sum(case when direction = 'C' then 1 else 0 end) as bigint) as payer_count_90d,
    cast(sum(case when direction = 'D' then 1 else 0 end) as bigint) as payee_count_90d,
    cast(sum(case when direction = 'C' then amount else 0 end) as decimal(38, 2)) as payers_amount_90d,
    cast(max(case when direction = 'C' then amount else 0 end) as decimal(38, 2)) as main_payer_amount_90d,
    cast(sum(case when direction = 'C' and is_strained = 1 then amount else 0 end) as decimal(38, 2))
        as strained_payers_amount_90d,
    cast(sum(case when direction = 'D' then amount else 0 end) as decimal(38, 2)) as payees_amount_90d,
    cast(max(case when direction = 'D' then amount else 0 end) as decimal(38, 2)) as main_payee_amount_90d,
    cast(sum(case when direction = 'C' then within_amount else 0 end) as decimal(38, 2)) as within_inflow_amount_90d,
    cast(sum(case when direction = 'D' then within_amount else 0 end) as decimal(38, 2)) as within_outflow_amount_90d,
    cast(sum(is_ours) as bigint) as own_counterparty_count_90d,
    cast(sum(has_left) as bigint) as left_counterparty_count_90d
from counterparties
group by as_of_date, customer_key
