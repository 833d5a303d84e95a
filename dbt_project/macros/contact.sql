{# A uniform number from 0 (inclusive) to 1 that follows from the text `key` alone: the first 16 bits of its MD5, the
   same on every engine. #}
{% macro uniform_hash(key) -%}
    (
        {%- for place in range(1, 5) %}
        {{ 16 ** (4 - place) }}
            * (position(substr(md5({{ key }}), {{ place }}, 1) in '0123456789abcdef') - 1) {{- ' +' if not loop.last }}
        {%- endfor %}
    ) / 65536.0
{%- endmacro %}

{# Whether a customer belongs to the control group of a programme in the quarter of an ISO date: drawn anew each
   quarter. #}
{% macro is_control(customer_key, programme, iso_date) -%}
    {%- set day = modules.datetime.date.fromisoformat(iso_date | string) -%}
    {%- set quarter = day.year ~ 'Q' ~ ((day.month + 2) // 3) -%}
    {{ uniform_hash(customer_key ~ " || '|" ~ programme ~ "|" ~ quarter ~ "'") }}
        < {{ limit('contact_limits', 'control_share') }}
{%- endmacro %}

{# What an action of a kind is for, in the words of the feed rm_contacts. #}
{% macro action_purpose(action_kind) -%}
    case
        when {{ action_kind }} in ('retention', 'outflow_actions') then 'retention'
        when {{ action_kind }} in ('early_warning', 'collections') then 'collection'
        else 'sales'
    end
{%- endmacro %}

{# The bars of the contact policy over `int_customer__contact_facts`, the first in front: the reason that people read,
   the column of `int_customer__contact_bars`, and whether it holds back a service call, too. #}
{% macro contact_bars() -%}
    {% set since_complaint = days_between('last_complaint_date', 'business_date') %}
    {% set since_contact = days_between('last_contact_date', 'business_date') %}
    {% set since_other = days_between('last_other_owner_date', 'business_date') %}
    {% set many = 'contact_count_30d >= ' ~ limit('contact_limits', 'contacts_30d')
        ~ ' or contact_count_90d >= ' ~ limit('contact_limits', 'contacts_90d') %}
    {% set bars = [
        ('deceased', 'is_deceased', true),
        ('in collection', 'is_in_collection', true),
        ('opted out', 'is_opted_out', false),
        ('closed', 'is_closed', true),
        ('unreachable', 'preferred_channel is null', true),
        ('complaint', since_complaint ~ ' < ' ~ limit('contact_limits', 'complaint_quiet_days'), false),
        ('recent contact', since_contact ~ ' < ' ~ limit('contact_limits', 'quiet_days'), false),
        ('other owner', since_other ~ ' < ' ~ limit('contact_limits', 'owner_days'), false),
        ('cap reached', many, false),
    ] %}
    {% set described = [] %}
    {% for reason, condition, is_service in bars %}
        {% do described.append({
            'reason': reason, 'column': 'bars_' ~ reason.replace(' ', '_'), 'condition': condition,
            'is_service': is_service,
        }) %}
    {% endfor %}
    {{ return(described) }}
{%- endmacro %}

{# The reason of the first of some bars that is up; null if none is. #}
{% macro first_bar(bars) -%}
    case {%- for bar in bars %} when bars.{{ bar.column }} then '{{ bar.reason }}' {%- endfor %} end
{%- endmacro %}
