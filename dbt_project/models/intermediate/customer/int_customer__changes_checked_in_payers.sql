{{ config(materialized='ephemeral') }}
-- Grain: regular payers who no longer pay, and whether the postings say the same of the one who paid most: the last
-- came on that day, and they came in three months at least.
with changes as (

    select * from {{ ref('int_customer__changes_in_words') }}
    where change_kind = 'payers_stopped'

),

links as (

    select * from {{ ref('int_party__customers') }}

),

payments as (

    -- a payment between two of our accounts is the payer's posting
    select
        case
            when transactions.direction = 'C' then 'outside:' || transactions.counterparty_account_token
            else payers.customer_key
        end as payer_key,
        payees.customer_key,
        transactions.business_date
    from {{ ref('fct_transactions') }} as transactions
    inner join links as payees
        on payees.party_key
            = case
                when transactions.direction = 'C' then transactions.party_key else transactions.counterparty_party_key
            end
    left join links as payers on transactions.direction = 'D' and transactions.party_key = payers.party_key
    where transactions.business_date > {{ change_lookback(366) }}
        and (transactions.direction = 'D' or transactions.counterparty_party_key is null)

)

select
    changes.customer_key,
    changes.change_kind,
    changes.change_detail,
    changes.change_date,
    max(payments.business_date) = changes.event_date
    and count(distinct date_trunc('month', payments.business_date)) >= 3 as is_true
from changes
inner join {{ ref('fund_chain_runway') }} as runways on changes.customer_key = runways.customer_key
inner join payments
    on changes.customer_key = payments.customer_key and runways.broken_payer_key = payments.payer_key
group by
    changes.customer_key,
    changes.change_kind,
    changes.change_detail,
    changes.change_date,
    changes.event_date
