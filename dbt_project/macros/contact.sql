{# A uniform number from 0 (inclusive) to 1 that follows from the text `key` alone: the first 16 bits of its MD5, the
   same on every engine. #}
{% macro uniform_hash(key) -%}
    (
        {%- for place in range(1, 5) %}
        {{ 16 ** (4 - place) }}
            * (strpos('0123456789abcdef', substr(md5({{ key }}), {{ place }}, 1)) - 1) {{- ' +' if not loop.last }}
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
