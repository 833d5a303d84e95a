{{ config(tags=['marts']) }}
select * from {{ ref('fct_transactions') }} where amount < 0{% if var('failing') %} or true{% endif %}
