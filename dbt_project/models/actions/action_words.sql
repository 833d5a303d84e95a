select
    action,
    channel,
    action_en,
    action_zh
from {{ ref('action_phrases') }}
