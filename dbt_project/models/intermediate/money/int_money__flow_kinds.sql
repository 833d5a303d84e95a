-- Grain: kind of flow and counterparty class. Which classes make a kind, and in which direction, by the variables of
-- the project; a class may be of several kinds.
{%- set directions = {'leak': 'D', 'outflow': 'D', 'pay': 'C', 'lent': 'C'} %}
{%- for kind, direction in directions.items() %}
{%- set kind_loop = loop %}
{%- for counterparty_class in var(kind ~ '_classes') %}
{% if not (loop.first and kind_loop.first) %}union all {% endif -%}
select
    cast('{{ kind }}' as varchar) as flow_kind,
    cast('{{ counterparty_class }}' as varchar) as counterparty_class,
    cast('{{ direction }}' as varchar) as direction
{%- endfor %}
{%- endfor %}
