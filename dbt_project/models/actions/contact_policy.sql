-- Grain: customer, at the business date. The first bar that is up forbids contact; a service call, which is no
-- marketing, has fewer.
with facts as (

    select * from {{ ref('int_customer__contact_facts') }}

),

bars as (

    select * from {{ ref('int_customer__contact_bars') }}

),

judged as (

    select
        facts.*,
        {{ first_bar(contact_bars() | selectattr('is_service')) }} as service_block_reason,
        {{ first_bar(contact_bars()) }} as block_reason
    from facts
    inner join bars on facts.customer_key = bars.customer_key

)

select
    cast(customer_key as varchar) as customer_key,
    business_date,
    block_reason is null as is_allowed,
    cast(block_reason as varchar) as block_reason,
    service_block_reason is null as is_service_allowed,
    cast(service_block_reason as varchar) as service_block_reason,
    {{ is_control('customer_key', 'actions', var('business_date')) }} as is_control,
    contact_count_30d as bank_contact_count_30d,
    contact_count_90d as bank_contact_count_90d,
    last_contact_date,
    last_complaint_date,
    last_service_date,
    has_phone,
    preferred_channel,
    cast(case when has_phone then 'phone' else preferred_channel end as varchar) as talk_channel,
    owner,
    rm_id,
    branch_code
from judged
