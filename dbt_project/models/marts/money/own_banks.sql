{%- for bank in var('own_banks') %}
{% if not loop.first %}union all {% endif -%}
select cast('{{ bank }}' as varchar) as counterparty_bank
{%- endfor %}
