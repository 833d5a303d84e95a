{{ config(materialized='ephemeral') }}
{% set dates = ref('int_calendar__as_of_dates') %}

with identity as (
    select * from {{ ref('int_party__customers_known_on_as_of_dates') }}
),

balances as (
    select * from {{ ref('int_account__balances_known_on_as_of_dates') }}
),

cards as (
    {{ states_known_on(ref('stg_branch__cards_versions'), 'card_id', dates, 'as_of_date') }}
),

-- a card's account that is overdrawn stands for what is drawn on the card: no feed tells it
card_accounts as (
    select
        identity.as_of_date,
        identity.customer_key,
        cards.account_no_token,
        count(*) as credit_card_count,
        sum(cards.credit_limit) as limit_amount,
        max(greatest(-balances.amount_0d_ago, 0)) as drawn_amount
    from cards
    inner join identity on cards.state_date = identity.as_of_date and cards.party_key = identity.party_key
    left join balances on cards.state_date = balances.as_of_date and cards.account_no_token = balances.position_key
    where cards.status = 'active' and cards.card_type = 'credit'
    group by identity.as_of_date, identity.customer_key, cards.account_no_token
)

select
    as_of_date,
    customer_key,
    sum(credit_card_count) as credit_card_count,
    sum(limit_amount) as card_limit_amount,
    sum(drawn_amount) as card_drawn_amount
from card_accounts
group by as_of_date, customer_key
