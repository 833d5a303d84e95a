{{ config(materialized='ephemeral') }}
-- Grain: a change of a phone number, an address or the wallets, and whether the delivered records say the same.
with changes as (

    select * from {{ ref('int_customer__changes_in_words') }}
    where change_kind in ('phone_changed', 'address_changed', 'wallet_bound')

),

records as (

    select
        links.customer_key,
        customers.party_key,
        customers.business_date,
        customers.phone_token,
        customers.address,
        row_number() over (
            partition by customers.party_key, customers.business_date
            order by customers._known_date desc, customers._file desc, customers._row desc
        ) as recency
    from {{ ref('stg_branch__customers') }} as customers
    inner join {{ ref('int_party__customers') }} as links on customers.party_key = links.party_key

),

-- the record of the day, and the last one before it
days as (

    select
        changes.customer_key,
        changes.change_kind,
        changes.change_date,
        records.party_key,
        max(case when records.business_date = changes.change_date then records.phone_token end) as phone_token,
        max(case when records.business_date = changes.change_date then records.address end) as address,
        max(case when records.business_date < changes.change_date then records.business_date end) as previous_date
    from changes
    inner join records on changes.customer_key = records.customer_key and records.recency = 1
    where changes.change_kind <> 'wallet_bound'
    group by changes.customer_key, changes.change_kind, changes.change_date, records.party_key

),

bindings as (

    select
        accounts.customer_key,
        bindings.binding_id,
        bindings.provider,
        min(bindings.business_date) as bound_date
    from {{ ref('stg_online__wallet_bindings') }} as bindings
    inner join {{ ref('int_account__accounts') }} as accounts on bindings.account_no_token = accounts.account_no_token
    group by accounts.customer_key, bindings.binding_id, bindings.provider

),

differing as (

    select
        days.customer_key,
        days.change_kind,
        days.change_date,
        max(
            case
                when days.change_kind = 'phone_changed' and days.phone_token <> previous.phone_token then 1
                when days.change_kind = 'address_changed' and days.address <> previous.address then 1
                else 0
            end
        ) as is_other
    from days
    inner join records as previous
        on days.party_key = previous.party_key
            and days.previous_date = previous.business_date
            and previous.recency = 1
    group by days.customer_key, days.change_kind, days.change_date

)

select
    changes.customer_key,
    changes.change_kind,
    changes.change_detail,
    changes.change_date,
    case
        when changes.change_kind = 'wallet_bound'
            then exists (
                    select 1 from bindings
                    where bindings.customer_key = changes.customer_key
                        and bindings.provider = changes.change_detail
                        and bindings.bound_date = changes.change_date
                )
        else coalesce(differing.is_other, 0) = 1
    end as is_true
from changes
left join differing
    on changes.customer_key = differing.customer_key
        and changes.change_kind = differing.change_kind
        and changes.change_date = differing.change_date
