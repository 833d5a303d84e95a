{{ config(materialized='ephemeral') }}
-- Grain: enterprise of whose regular payers some no longer pay, for as long as that breaks the inflow.
select
    runways.customer_key,
    'payers_stopped' as change_kind,
    case when runways.broken_payer_count = 1 then 'one' else 'several' end as change_detail,
    runways.broken_since_date as change_date,
    limits.segment,
    cast(runways.broken_inflow_amount as decimal(38, 2)) as amount,
    cast(null as decimal(38, 2)) as previous_amount,
    cast(runways.broken_payer_count as integer) as change_count,
    cast(null as integer) as previous_count,
    runways.broken_last_date as event_date
from {{ ref('fund_chain_runway') }} as runways
inner join {{ ref('int_customer__change_limits') }} as limits
    on runways.customer_key = limits.customer_key and limits.change_kind = 'payers_stopped'
where runways.chain_state = 'inflow broken' and runways.broken_inflow_amount >= limits.minimum_amount
