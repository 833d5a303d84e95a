with contacts as (

    select
        *,
        cast({{ dbt.date_trunc('month', 'contact_date') }} as date) as month_date,
        first_opened_date >= contact_date and is_first as is_acquired,
        {{ days_between('contact_date', 'first_opened_date') }} as days_to_open
    from {{ ref('int_party__first_contacts') }}

),

counted as (

    select
        month_date,
        source,
        count(*) as lead_count,
        sum(cost_amount) as cost_amount,
        sum(case when first_opened_date < contact_date then 1 else 0 end) as already_customer_count,
        sum(case when is_acquired then 1 else 0 end) as acquired_count,
        sum(case when is_acquired and days_to_open <= 90 then 1 else 0 end) as acquired_90d_count
    from contacts
    group by month_date, source

)

select
    month_date,
    cast(source as varchar) as source,
    cast(lead_count as bigint) as lead_count,
    cast(already_customer_count as bigint) as already_customer_count,
    cast(acquired_count as bigint) as acquired_count,
    cast(acquired_90d_count as bigint) as acquired_90d_count,
    {{ share_of('acquired_90d_count', 'lead_count - already_customer_count') }} as conversion_rate,
    cast(cost_amount as decimal(38, 2)) as cost_amount,
    case when acquired_count > 0 then {{ average_amount('cost_amount', 'acquired_count') }} end
        as cost_per_acquired_amount
from counted
