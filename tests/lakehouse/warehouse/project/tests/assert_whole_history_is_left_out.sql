-- Fails wherever it runs: a business date leaves tests of a whole history to `make test`.
{{ config(tags=['whole_history']) }}

select * from {{ ref('fct_transactions') }}
