{%- set today = date_literal(var('business_date')) -%}
{%- set days = 'cast(' ~ limit('credit_thresholds', 'utilisation_days') ~ ' as integer)' -%}
{%- set earlier = 'cast(' ~ dbt.dateadd('day', '-' ~ days, today) ~ ' as date)' %}
-- Grain: customer with a loan and active credit cards: what is drawn on them, and what was some days earlier.
with links as (

    select * from {{ ref('int_party__customers') }}

),

card_states as (

    select
        *,
        row_number() over (
            partition by card_id order by business_date desc, _known_date desc, _delivery desc, _row desc
        ) as recency
    from {{ ref('stg_branch__cards') }}
    where card_type = 'credit'

),

card_accounts as (

    select
        links.customer_key,
        card_states.account_no_token,
        sum(card_states.credit_limit) as limit_amount
    from card_states
    inner join links on card_states.party_key = links.party_key
    where card_states.recency = 1
        and card_states.status = 'active'
        and links.customer_key in (select customer_key from {{ ref('int_loan__debts') }})
    group by links.customer_key, card_states.account_no_token

),

balance_dates as (

    select
        account_no_token,
        max(business_date) as last_date,
        max(case when business_date <= {{ earlier }} then business_date end) as earlier_date
    from {{ ref('fct_balances_daily') }}
    where account_no_token in (select account_no_token from card_accounts)
    group by account_no_token

)

select
    card_accounts.customer_key,
    max(balance_dates.last_date) as last_date,
    sum(card_accounts.limit_amount) as limit_amount,
    sum(greatest(-balances.balance_amount, 0)) as drawn_amount,
    sum(greatest(-coalesce(earlier_balances.balance_amount, 0), 0)) as earlier_amount
from card_accounts
inner join balance_dates on card_accounts.account_no_token = balance_dates.account_no_token
inner join {{ ref('fct_balances_daily') }} as balances
    on balance_dates.account_no_token = balances.account_no_token and balance_dates.last_date = balances.business_date
left join {{ ref('fct_balances_daily') }} as earlier_balances
    on balance_dates.account_no_token = earlier_balances.account_no_token
        and balance_dates.earlier_date = earlier_balances.business_date
group by card_accounts.customer_key
