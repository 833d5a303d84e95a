{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
) }}

{% set own_banks = "'" ~ var('own_banks') | join("', '") ~ "'" %}

with spans as (
{{ event_spans(
    'transactions', ref('stg_branch__transactions_versions'), 'txn_id',
    [
        'account_no_token', 'amount', 'direction', 'txn_type', 'counterparty_account_token', 'counterparty_bank',
    ],
    dates_of_run('business_date'),
) }}
),

own_accounts as (
    select distinct account_no_token from {{ ref('int_account__owners') }}
),

days as (
    select
        spans.account_no_token,
        spans.business_date,
        spans.known_date,
        spans.superseded_date,
        spans.direction,
        spans.counterparty_account_token,
        max(own_accounts.account_no_token) as counterparty_in_bank_token,
        cast(sum(spans.amount) as decimal(18, 2)) as amount,
        -- what int_account__flow_days_bitemporal leaves out, for it does not know whose account is on the other side
        cast(
            sum(
                case
                    when spans.txn_type = 'transfer'
                        and (spans.counterparty_bank is null or spans.counterparty_bank in ({{ own_banks }}))
                        then spans.amount
                    else 0
                end
            ) as decimal(18, 2)
        ) as within_amount
    from spans
    left join own_accounts
        on spans.counterparty_account_token = own_accounts.account_no_token
            and (spans.counterparty_bank is null or spans.counterparty_bank in ({{ own_banks }}))
    where spans.counterparty_account_token is not null
    group by
        spans.account_no_token, spans.business_date, spans.known_date, spans.superseded_date, spans.direction,
        spans.counterparty_account_token
)

select * from days
