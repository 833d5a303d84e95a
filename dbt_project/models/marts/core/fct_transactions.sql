{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
    meta={'partition_by': 'business_date'},
    indexes=[
        {'columns': ['business_date']},
        {'columns': ['account_no_token', 'business_date']},
    ] if target.type == 'postgres' else [],
) }}
{%- set own_banks = "'" ~ var('own_banks') | join("', '") ~ "'" %}

with postings as (

    select * from {{ ref('stg_branch__transactions') }}
    where {{ dates_of_run('business_date') }}
        and {{ is_first_telling('transactions', 'txn_id') }}

),

owners as (

    select * from {{ ref('int_account__owners') }}

),

scoped as (

    select
        postings.*,
        owners.party_key,
        counterparties.party_key as counterparty_party_key,
        case
            when counterparties.party_key = owners.party_key then 'own'
            when counterparties.party_key is not null then 'in_bank'
            when postings.counterparty_bank in ({{ own_banks }}) then 'in_bank'
            when postings.counterparty_account_token is not null or postings.counterparty_bank is not null
                then 'outside'
            else 'none'
        end as counterparty_scope
    from postings
    left join owners
        on postings.account_no_token = owners.account_no_token and {{ is_valid_on('owners', 'postings.business_date') }}
    left join owners as counterparties
        on postings.counterparty_account_token = counterparties.account_no_token
            and {{ is_valid_on('counterparties', 'postings.business_date') }}
            and (postings.counterparty_bank is null or postings.counterparty_bank in ({{ own_banks }}))

),

classes as (

    select * from {{ ref('int_money__counterparty_classes') }}

)

select
    scoped.txn_id,
    scoped.account_no_token,
    scoped.party_key,
    scoped.business_date,
    scoped.txn_at,
    scoped.amount,
    cast(case scoped.direction when 'C' then scoped.amount else -scoped.amount end as decimal(18, 2)) as signed_amount,
    scoped.direction,
    cast({{ channel_name('scoped.channel') }} as varchar) as channel,
    scoped.txn_type,
    cast(coalesce(classes.counterparty_class, 'other') as varchar) as counterparty_class,
    scoped.counterparty_party_key,
    scoped.counterparty_account_token,
    scoped.counterparty_bank,
    scoped._known_date as known_date,
    scoped._file as source_file,
    scoped._row as source_row
from scoped
left join classes
    on scoped.txn_type = classes.txn_type
        and scoped.channel = classes.channel
        and scoped.counterparty_scope = classes.counterparty_scope
        and coalesce(scoped.counterparty_bank, '') = classes.counterparty_bank
