-- Grain: kind, channel, scope and bank of the other side, as they occur: the seed's first rule that fits names the
-- class.
with banks as (

    select distinct coalesce(counterparty_bank, '') as counterparty_bank
    from {{ ref('stg_branch__transactions') }}
    where {{ dates_of_run('business_date') }}

),

kinds as (

    select distinct
        txn_type,
        channel
    from {{ ref('stg_branch__transactions') }}
    where {{ dates_of_run('business_date') }}

),

scopes as (

    select 'own' as counterparty_scope
    union all
    select 'in_bank'
    union all
    select 'outside'
    union all
    select 'none'

),

rules as (

    select * from {{ ref('counterparty_classes') }}

),

ranked as (

    select
        kinds.txn_type,
        kinds.channel,
        scopes.counterparty_scope,
        banks.counterparty_bank,
        rules.counterparty_class,
        row_number() over (
            partition by kinds.txn_type, kinds.channel, scopes.counterparty_scope, banks.counterparty_bank
            order by rules.rule_order
        ) as place
    from kinds
    cross join scopes
    cross join banks
    inner join rules
        on (rules.txn_type is null or rules.txn_type = kinds.txn_type)
            and (rules.channel is null or rules.channel = kinds.channel)
            and (rules.counterparty_scope is null or rules.counterparty_scope = scopes.counterparty_scope)
            and (
                rules.counterparty_bank_pattern is null
                or lower(banks.counterparty_bank) like rules.counterparty_bank_pattern
            )

)

select
    txn_type,
    channel,
    counterparty_scope,
    counterparty_bank,
    counterparty_class
from ranked
where place = 1
