{# Which customer each party record belonged to on each `day` of `dates`. Grain: `day` x party_key. #}
{% macro customers_known_on(dates, day) %}
select
    dates.{{ day }},
    xref.party_key,
    xref.customer_key
from {{ dates }} as dates
inner join {{ ref('customer_xref') }} as xref
    on xref.valid_from <= dates.{{ day }}
    and (xref.valid_to is null or xref.valid_to > dates.{{ day }})
{% endmacro %}

{# Accounts as known on each `day` of `dates`, with the customer who owned them then. Grain: `day` x account. #}
{% macro accounts_known_on(dates, identity, day) %}
with accounts as (
{{ states_known_on(ref('stg_branch__accounts_versions'), 'account_no_token', dates, day) }}
)

select
    accounts.state_date as {{ day }},
    accounts.account_no_token,
    identity.customer_key,
    accounts.product_code,
    accounts.opened_date,
    accounts.status <> 'closed' as is_open,
    case when accounts.status = 'closed' then coalesce(accounts.closed_date, accounts.business_date) end as closed_date,
    accounts.maturity_date
from accounts
inner join {{ identity }} as identity
    on accounts.state_date = identity.{{ day }}
    and accounts.party_key = identity.party_key
{% endmacro %}

{# Deposits and investments of each customer on each `day`, today and before, from the positions per account and per
   holding. Grain: `day` x customer_key. #}
{% macro customer_positions_known_on(balances, holdings, accounts, identity, day, sampled) %}
{% set columns = ['amount_days_90d', 'amount_days_previous_90d'] %}
{% for days in sampled %}{% do columns.append('amount_' ~ days ~ 'd_ago') %}{% endfor %}
with amounts as (
    select accounts.{{ day }}, accounts.customer_key, 'deposit' as kind, {{ columns | join(', ') }}
    from {{ balances }} as balances
    inner join {{ accounts }} as accounts
        on balances.{{ day }} = accounts.{{ day }} and balances.position_key = accounts.account_no_token
    union all
    select identity.{{ day }}, identity.customer_key, 'investment' as kind, {{ columns | join(', ') }}
    from {{ holdings }} as holdings
    inner join {{ identity }} as identity
        on holdings.{{ day }} = identity.{{ day }} and holdings.party_key = identity.party_key
)

select
    {{ day }},
    customer_key,
    {%- for days in sampled %}
    cast(coalesce(sum(amount_{{ days }}d_ago) filter (where kind = 'deposit'), 0) as decimal(38,2))
        as deposit_amount_{{ days }}d_ago,
    cast(sum(amount_{{ days }}d_ago) as decimal(38,2)) as aum_amount_{{ days }}d_ago,
    {%- endfor %}
    cast(coalesce(sum(amount_days_previous_90d) filter (where kind = 'deposit'), 0) as decimal(38,2))
        as deposit_days_amount_previous_90d,
    cast(sum(amount_days_90d) as decimal(38,2)) as aum_days_amount_90d,
    cast(sum(amount_days_previous_90d) as decimal(38,2)) as aum_days_amount_previous_90d
from amounts
group by {{ day }}, customer_key
{% endmacro %}
