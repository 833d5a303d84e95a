select
    cast(told.feed as varchar) as feed,
    cast(told.column_name as varchar) as column_name,
    cast(told.purpose as varchar) as purpose,
    cast(purposes.legal_ground as varchar) as legal_ground,
    purposes.is_refusable,
    told.valid_from,
    cast(purposes.title_en as varchar) as purpose_en,
    cast(purposes.title_zh as varchar) as purpose_zh
from {{ ref('stg_lake__feed_purposes') }} as told
left join {{ ref('purposes') }} as purposes on told.purpose = purposes.purpose
