{#- Relation, what tells its records apart, and its columns with numbers. #}
{%- set sources = [
    (ref('stg_branch__customers'), 'customer_no', {'phone': 'phone_token', 'document': 'id_no_token'}),
    (ref('stg_online__registrations'), 'user_id', {'phone': 'phone_token', 'document': 'id_no_token'}),
    (ref('stg_branch__cards'), 'card_id', {'card': 'card_no_token'}),
] -%}
-- The last number of each kind that a record was told with: one that a customer gave up finds nobody.
with
{% for relation, record, kinds in sources %}
told_{{ loop.index }} as (

    select
        *,
        row_number() over (
            partition by {{ record }} order by business_date desc, _known_date desc, _delivery desc, _row desc
        ) as recency
    from {{ relation }}

),
{% endfor %}
handles as (

    {% for relation, record, kinds in sources %}
    {% set number = loop.index %}
    {% set is_last = loop.last %}
    {% for kind, token in kinds.items() %}
    select
        party_key,
        '{{ kind }}' as handle_kind,
        {{ token }} as handle_token
    from told_{{ number }}
    where recency = 1
    {{ 'union all' if not (is_last and loop.last) }}
    {% endfor %}
    {% endfor %}
),

links as (

    select * from {{ ref('int_party__customers') }}

),

found as (

    select
        handles.handle_kind,
        handles.handle_token,
        links.customer_key
    from handles
    inner join links on handles.party_key = links.party_key
    union all
    select
        'account' as handle_kind,
        account_no_token as handle_token,
        customer_key
    from {{ ref('dim_account') }}

)

select distinct
    cast(handle_kind as varchar) as handle_kind,
    cast(handle_token as varchar) as handle_token,
    cast(customer_key as varchar) as customer_key
from found
where handle_token is not null and customer_key is not null
