select
    cast(wishes.customer_key as varchar) as customer_key,
    cast(wishes.purpose as varchar) as purpose,
    {{ date_literal(var('business_date')) }} as business_date,
    cast(wishes.decision as varchar) as decision,
    wishes.effective_date,
    cast({{ channel_name('wishes.channel') }} as varchar) as channel,
    cast(purposes.title_en as varchar) as purpose_en,
    cast(purposes.title_zh as varchar) as purpose_zh
from {{ ref('int_customer__wishes') }} as wishes
inner join {{ ref('purposes') }} as purposes on wishes.purpose = purposes.purpose
