-- Of a purpose whose ground is consent, silence refuses, too.
with wishes as (

    select * from {{ ref('int_customer__wishes') }}

),

customers as (

    select distinct customer_key from {{ ref('int_party__customers') }}

),

by_consent as (

    select * from {{ ref('purposes') }}
    where is_refusable and legal_ground = 'consent'

)

select
    wishes.customer_key,
    wishes.purpose
from wishes
where wishes.decision = 'refused'

union

select
    customers.customer_key,
    by_consent.purpose
from customers
cross join by_consent
left join wishes on customers.customer_key = wishes.customer_key and by_consent.purpose = wishes.purpose
where wishes.customer_key is null
