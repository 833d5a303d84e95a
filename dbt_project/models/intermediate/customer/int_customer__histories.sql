-- Grain: customer. `history_hash` names all that a customer's past is computed from beside dated facts: the party
-- records, the assets, the rules. When it changes, incremental tables replace the customer's rows of all dates
-- (`replace_histories`).
with parties as (

    select
        customer_key,
        customer_since_date,
        md5(
            {{ dbt.listagg('md5(party_key)', "''", 'order by md5(party_key)') }} || cast(customer_since_date as varchar)
        )
            as identity_hash
    from {{ ref('int_party__customers') }}
    group by customer_key, customer_since_date

),

owned as (

    select
        customer_key,
        opened_date,
        md5(
            asset_class || ':' || asset_id || ':' || coalesce(product_family, '') || ':' || cast(opened_date as varchar)
            || ':' || coalesce(cast(closed_date as varchar), '')
        ) as asset_hash
    from {{ ref('int_asset__owners') }}

),

assets as (

    select
        customer_key,
        min(opened_date) as first_opened_date,
        {{ dbt.listagg('asset_hash', "''", 'order by asset_hash') }} as assets_hash
    from owned
    group by customer_key

),

rules as (

    select
        star_tier || ':' || minimum_average_aum_amount
        || ':' || coalesce(cast(minimum_contribution_amount as varchar), '') as rule
    from {{ ref('tier_thresholds') }}
    where currency = '{{ var("currency") }}'

    union all

    select threshold || ':' || threshold_value as rule
    from {{ ref('life_cycle_thresholds') }}

),

-- money is seen from the first delivery on: an average over earlier days would count them as empty
history as (

    select min(business_date) as first_date
    from {{ ref('fct_balances_daily') }}

),

managers as (

    select
        parties.customer_key,
        md5(
            {{ dbt.listagg(
                "managers.rm_id || ':' || managers.valid_from || ':'"
                ~ " || coalesce(cast(managers.valid_to as varchar), '')",
                "''", 'order by managers.valid_from, managers.rm_id'
            ) }}
        ) as managers_hash
    from {{ ref('stg_reference__rm_assignments') }} as managers
    inner join {{ ref('int_party__customers') }} as parties on managers.party_key = parties.party_key
    group by parties.customer_key

),

all_rules as (

    select
        {{ dbt.listagg('md5(rule)', "''", 'order by md5(rule)') }}
        || '{{ var("tier_grace_months") }}:{{ var("won_back_months") }}'
        || coalesce(cast(max(history.first_date) as varchar), '') as rules_hash
    from rules
    cross join history

)

select
    parties.customer_key,
    parties.customer_since_date,
    assets.first_opened_date,
    {{ days_before('greatest(assets.first_opened_date, history.first_date)', -89) }} as first_full_average_date,
    cast(parties.identity_hash as varchar) as identity_hash,
    cast(md5(parties.identity_hash || coalesce(assets.assets_hash, '') || all_rules.rules_hash) as varchar)
        as history_hash,
    cast(
        md5(
            parties.identity_hash || coalesce(assets.assets_hash, '') || all_rules.rules_hash
            || coalesce(managers.managers_hash, '')
        ) as varchar
    ) as profile_hash
from parties
cross join all_rules
cross join history
left join assets on parties.customer_key = assets.customer_key
left join managers on parties.customer_key = managers.customer_key
