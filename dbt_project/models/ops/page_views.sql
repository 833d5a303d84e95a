with events as (
    select * from {{ ref('stg_lake__page_views') }}
)

select
    event_id,
    happened_at,
    business_date,
    publish_id,
    user_name,
    role_name,
    event_kind,
    page,
    customer_key,
    detail
from events
