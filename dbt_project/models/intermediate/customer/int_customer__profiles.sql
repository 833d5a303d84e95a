-- noqa: disable=LT02
-- Survivorship: where a customer's records differ, the seed customer_attributes ranks the sources for each attribute. A
-- record without a value is passed over; of sources with one priority, the latest record wins, but for `opened_date`
-- the earliest day. Asking one source not to be contacted counts for all. A day on which nothing changes begins no
-- version.
{%- set attributes = [
    'party_type', 'gender', 'birth_year', 'city', 'occupation', 'monthly_income_amount', 'risk_rating',
    'home_branch_code',
    'opened_date', 'owner_party_key',
] %}
{%- set earliest = ['opened_date'] %}
{%- set flags = ['has_phone', 'has_email', 'has_identity_document'] %}
with records as (

    select * from {{ ref('int_party__records') }}

),

links as (

    select * from {{ ref('int_party__customers') }}

),

rules as (

    select * from {{ ref('customer_attributes') }}

),

priorities as (

    select
        source_rank,
        {% for attribute in attributes + flags -%}
        max(case when attribute = '{{ attribute }}' then priority end)
            as {{ attribute }}_priority{{ ',' if not loop.last }}
        {% endfor %}
    from (
        {% for source in ['branch', 'online', 'lead'] -%}
        select
            {{ loop.index }} as source_rank,
            attribute,
            {{ source }}_priority as priority
        from rules
        {{ 'union all' if not loop.last }}
        {% endfor %}
    ) as by_source
    group by source_rank

),

spells as (

    select
        links.customer_key,
        links.first_known_date,
        records.*,
        lead(records.business_date) over (partition by records.party_key order by records.business_date) as next_date
    from records
    inner join links on records.party_key = links.party_key

),

change_dates as (

    select distinct
        customer_key,
        business_date
    from spells

),

tellings as (

    select
        spells.*,
        change_dates.business_date as valid_from,
        row_number() over (
            partition by change_dates.customer_key, change_dates.business_date
            order by spells.source_rank, spells.first_known_date, spells.party_key
        ) as place,
        row_number() over (
            partition by change_dates.customer_key, change_dates.business_date
            order by spells.business_date desc, spells.first_known_date, spells.party_key
        ) as recency
    from change_dates
    inner join spells
        on change_dates.customer_key = spells.customer_key
            and change_dates.business_date >= spells.business_date
            and (change_dates.business_date < spells.next_date or spells.next_date is null)

),

ranked as (

    select
        tellings.*,
        {% for flag in flags -%}
        tellings.{{ flag }} and priorities.{{ flag }}_priority is not null as counts_{{ flag }},
        {% endfor -%}
        {% for attribute in attributes -%}
        case
            when tellings.{{ attribute }} is not null
                then priorities.{{ attribute }}_priority * 1000000
                    {{- '' if attribute in earliest else ' + tellings.recency' }}
        end
            as {{ attribute }}_rank{{ ',' if not loop.last }}
        {% endfor %}
    from tellings
    inner join priorities on tellings.source_rank = priorities.source_rank

),

compared as (

    select
        ranked.*,
        {% for attribute in attributes -%}
        min({{ attribute }}_rank) over by_version as {{ attribute }}_first_rank{{ ',' if not loop.last }}
        {% endfor %}
    from ranked
    window by_version as (partition by customer_key, valid_from)

),

survived as (

    select
        customer_key,
        valid_from,
        max(case when place = 1 then party_key end) as leading_party_key,
        {% for attribute in attributes -%}
        {{ 'min' if attribute in earliest else 'max' }}(
            case when {{ attribute }}_rank = {{ attribute }}_first_rank then {{ attribute }} end
        ) as {{ attribute }},
        {% endfor -%}
        {% for flag in flags -%}
        max(case when counts_{{ flag }} then 1 else 0 end) = 1 as {{ flag }},
        {% endfor -%}
        max(case when is_marketing_opt_out then 1 else 0 end) = 1 as is_marketing_opt_out,
        count(*) as party_count
    from compared
    group by customer_key, valid_from

),

described as (

    select
        *,
        md5(
            {%- for column in attributes + flags + ['leading_party_key', 'is_marketing_opt_out', 'party_count'] %}
            coalesce(cast({{ column }} as varchar), '~') || '|' {{ '||' if not loop.last }}
            {%- endfor %}
        ) as content_hash
    from survived

),

versions as (

    select
        *,
        lag(content_hash) over (partition by customer_key order by valid_from) as previous_content_hash
    from described

),

changes as (

    select
        *,
        lead(valid_from) over (partition by customer_key order by valid_from) as valid_to
    from versions
    where previous_content_hash is null or previous_content_hash <> content_hash

),

weights as (

    select
        {% for attribute in attributes + flags -%}
        max(case when attribute = '{{ attribute }}' then person_weight else 0 end) as {{ attribute }}_person_weight,
        max(case when attribute = '{{ attribute }}' then enterprise_weight else 0 end)
            as {{ attribute }}_enterprise_weight,
        {% endfor -%}
        sum(person_weight) as person_weight,
        sum(enterprise_weight) as enterprise_weight
    from rules

)

select
    changes.customer_key,
    changes.valid_from,
    changes.valid_to,
    changes.valid_to is null as is_current,
    changes.leading_party_key,
    {% for attribute in attributes + flags -%}
    changes.{{ attribute }},
    {% endfor -%}
    changes.is_marketing_opt_out,
    cast(changes.party_count as integer) as party_count,
    cast(
        cast(case changes.party_type
            {%- for type, kind in [('P', 'person'), ('E', 'enterprise')] %}
            when '{{ type }}' then 0
                {%- for attribute in attributes %}
                + case when changes.{{ attribute }} is null then 0 else weights.{{ attribute }}_{{ kind }}_weight end
                {%- endfor %}
                {%- for flag in flags %}
                + case when changes.{{ flag }} then weights.{{ flag }}_{{ kind }}_weight else 0 end
                {%- endfor %}
            {%- endfor %}
        end as double precision)
        / case changes.party_type when 'P' then weights.person_weight else weights.enterprise_weight end
        as double precision
    ) as completeness_rate
from changes
cross join weights
