{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='month_date', whole_months=true,
    on_schema_change='fail', meta={'partition_by': 'month_date'},
    indexes=[{'columns': ['month_date']}] if target.type == 'postgres' else [],
) }}

-- A payment between two of our accounts has two postings: the payer's speaks for both.
with payments as (

    select
        case when direction = 'D' then party_key else 'outside:' || counterparty_account_token end as payer_party_key,
        case
            when direction = 'C' then party_key
            when counterparty_party_key is not null then counterparty_party_key
            else 'outside:' || counterparty_account_token
        end as payee_party_key,
        cast(date_trunc('month', business_date) as date) as month_date,
        business_date,
        txn_type,
        amount
    from {{ ref('fct_transactions') }}
    where {{ months_of_run('business_date') }}
        and party_key is not null
        and counterparty_class <> 'own_transfer'
        and counterparty_account_token is not null
        and (direction = 'D' or counterparty_party_key is null)

)

select
    cast(payer_party_key as varchar) as payer_party_key,
    cast(payee_party_key as varchar) as payee_party_key,
    month_date,
    cast(count(*) as bigint) as payment_count,
    cast(sum(amount) as decimal(38, 2)) as payment_amount,
    cast(sum(case when txn_type = 'salary' then amount else 0 end) as decimal(38, 2)) as salary_amount,
    cast(sum(case when txn_type = 'purchase' then amount else 0 end) as decimal(38, 2)) as purchase_amount,
    min(business_date) as first_date,
    max(business_date) as last_date
from payments
group by payer_party_key, payee_party_key, month_date
