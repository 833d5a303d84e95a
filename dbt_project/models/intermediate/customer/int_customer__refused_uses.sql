select
    refused.customer_key,
    uses.use_kind,
    uses.use_name,
    uses.purpose
from {{ ref('int_customer__refused_purposes') }} as refused
inner join {{ ref('purposes_of_use') }} as uses on refused.purpose = uses.purpose
