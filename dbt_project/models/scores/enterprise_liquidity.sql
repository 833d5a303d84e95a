{{ config(meta={'partition_by': 'as_of_date'}) }}

{{ score_history('enterprise_liquidity') }}
