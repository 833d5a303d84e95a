-- Grain: customer and kind of change: the thresholds of the customer's segment.
select
    positions.customer_key,
    positions.first_opened_date,
    thresholds.*
from {{ ref('int_customer__position_today') }} as positions
inner join {{ ref('int_customer__profiles') }} as profiles
    on positions.customer_key = profiles.customer_key
        and profiles.is_current
inner join {{ ref('change_thresholds') }} as thresholds
    on coalesce(profiles.party_type, 'P') = thresholds.party_type
        and positions.star_tier between thresholds.lowest_star_tier and thresholds.highest_star_tier
