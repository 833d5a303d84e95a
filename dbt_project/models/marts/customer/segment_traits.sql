{{ config(tags=['serving']) }}
select
    traits.segment_id,
    named.segment_name_en,
    named.segment_name_zh,
    traits.trait,
    traits.trait_en,
    traits.trait_zh,
    traits.deviation,
    traits.median_value,
    traits.median_of_all_value,
    named.model_version
from {{ ref('stg_lake__segment_traits') }} as traits
inner join {{ ref('stg_lake__segment_groups') }} as named on traits.segment_id = named.segment_id
