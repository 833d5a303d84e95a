{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
) }}

{% set own_banks = "'" ~ var('own_banks') | join("', '") ~ "'" %}
{% set outflows = ['wallet', 'mmf', 'other_bank', 'merchant', 'cash'] %}
{% set channels = ['counter', 'mobile', 'pos', 'wallet'] %}

with spans as (
{{ event_spans(
    'transactions', ref('stg_branch__transactions_versions'), 'txn_id',
    [
        'account_no_token', 'amount', 'direction', 'channel', 'txn_type', 'counterparty_account_token',
        'counterparty_bank',
    ],
    dates_of_run('business_date'),
) }}
),

postings as (
    select
        *,
        case
            when txn_type in ('salary', 'pension') then 'salary'
            when txn_type = 'mmf' then 'mmf'
            when txn_type = 'wallet' or channel = 'wallet' then 'wallet'
            when txn_type in ('purchase', 'utility') then 'merchant'
            when txn_type = 'cash' then 'cash'
            when txn_type = 'transfer' and counterparty_bank not in ({{ own_banks }}) then 'other_bank'
            when txn_type in ('investment', 'transfer') then 'within'
            else 'other'
        end as counterparty_class
    from spans
    where txn_type <> 'brought_forward'
),

days as (
    select
        account_no_token,
        business_date,
        known_date,
        superseded_date,
        cast(
            coalesce(sum(amount) filter (where direction = 'C' and counterparty_class <> 'within'), 0) as decimal(18, 2)
        ) as inflow_amount,
        cast(
            coalesce(sum(amount) filter (where direction = 'D' and counterparty_class <> 'within'), 0) as decimal(18, 2)
        ) as outflow_amount,
        cast(
            coalesce(
                sum(amount) filter (
                    where direction = 'C' and txn_type in ('interest', 'fee', 'loan_payment', 'loan_grant')
                ), 0
            ) as decimal(18, 2)
        ) as bank_inflow_amount,
        {%- for name, direction in [('inflow', 'C'), ('outflow', 'D')] %}
        cast(
            coalesce(
                sum(amount) filter (
                    where direction = '{{ direction }}'
                    and txn_type = 'transfer'
                    and counterparty_class = 'within'
                    and counterparty_account_token is null
                ), 0
            ) as decimal(18, 2)
        ) as unnamed_{{ name }}_amount,
        {%- endfor %}
        cast(
            coalesce(max(amount) filter (where direction = 'D' and counterparty_class <> 'within'), 0) as decimal(18, 2)
        ) as largest_outflow_amount,
        cast(
            coalesce(sum(amount) filter (where direction = 'C' and counterparty_class = 'salary'), 0) as decimal(18, 2)
        ) as salary_amount,
        {%- for class in outflows %}
        cast(
            coalesce(
                sum(amount) filter (where direction = 'D' and counterparty_class = '{{ class }}'), 0
            ) as decimal(18, 2)
        )
            as {{ class }}_outflow_amount,
        cast(count(*) filter (where direction = 'D' and counterparty_class = '{{ class }}') as integer)
            as {{ class }}_outflow_count,
        {%- endfor %}
        {%- for channel in channels %}
        cast(count(*) filter (where channel = '{{ channel }}') as integer) as {{ channel }}_txn_count,
        {%- endfor %}
        cast(count(*) filter (where direction = 'C' and counterparty_class <> 'within') as integer) as inflow_count,
        cast(count(*) filter (where txn_type = 'fee') as integer) as fee_count,
        cast(count(*) filter (where direction = 'D' and txn_type = 'utility') as integer) as utility_outflow_count,
        cast(count(*) filter (where channel <> 'batch') as integer) as own_txn_count
    from postings
    group by account_no_token, business_date, known_date, superseded_date
)

select * from days
