{{ config(severity='warn', tags=['marts']) }}
select * from {{ ref('fct_transactions') }} where amount > 1000000
