{{ config(meta={'partition_by': 'as_of_date'}) }}

{{ score_history('uplift_retention', measure='uplift') }}
