{# What sqlfluff takes the macros for that give a number or a whole statement; any other macro stands as its name. #}
{% macro limit() %}{% set _ = (varargs, kwargs) %}1{% endmacro %}
{% macro accounts_known_on() %}{% set _ = (varargs, kwargs) %}select null as stand_in{% endmacro %}
{% macro as_of_dates_of_run() %}select null as as_of_date, null as month_date{% endmacro %}
{% macro customer_positions_known_on() %}{% set _ = (varargs, kwargs) %}select null as stand_in{% endmacro %}
{% macro customers_known_on() %}{% set _ = (varargs, kwargs) %}select null as stand_in{% endmacro %}
{% macro event_spans() %}{% set _ = (varargs, kwargs) %}select null as stand_in{% endmacro %}
{% macro features_tiers() %}{% set _ = (varargs, kwargs) %}select null as stand_in{% endmacro %}
{% macro label_line_churn() %}{% set _ = (varargs, kwargs) %}select null as stand_in{% endmacro %}
{% macro last_known(relation, key) %}select * from {{ relation }}{% endmacro %}
{% macro positions_known_on() %}{% set _ = (varargs, kwargs) %}select null as stand_in{% endmacro %}
{% macro products_known_on() %}{% set _ = (varargs, kwargs) %}select null as stand_in{% endmacro %}
{% macro score_history() %}{% set _ = (varargs, kwargs) %}select null as stand_in{% endmacro %}
{% macro score_latest() %}{% set _ = (varargs, kwargs) %}select null as stand_in{% endmacro %}
{% macro service_unit_costs() %}select null as stand_in{% endmacro %}
{% macro states_known_on() %}{% set _ = (varargs, kwargs) %}select null as stand_in{% endmacro %}
