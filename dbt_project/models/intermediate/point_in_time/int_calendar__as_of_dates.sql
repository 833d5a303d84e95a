{% for as_of_date in var('as_of_dates') %}
select cast('{{ as_of_date }}' as date) as as_of_date{{ ' union all' if not loop.last }}
{% else %}
select cast(null as date) as as_of_date where 1 = 0
{% endfor %}
