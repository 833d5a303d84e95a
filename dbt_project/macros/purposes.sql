{# SQL: whether a customer has not refused what a score or a list of actions is for.
   `use_name` is SQL: a column, or a text in quotes. #}
{% macro is_not_refused(customer_key, use_kind, use_name) -%}
    not exists (
        select 1
        from {{ ref('int_customer__refused_uses') }} as refused
        where refused.customer_key = {{ customer_key }}
            and refused.use_kind = '{{ use_kind }}'
            and refused.use_name = {{ use_name }}
    )
{%- endmacro %}
