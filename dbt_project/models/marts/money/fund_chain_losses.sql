with edges as (

    select * from {{ ref('fund_chain_edges') }}
    where payer_type = 'customer' and payee_type = 'customer'

),

positions as (

    select * from {{ ref('int_customer__positions_monthly') }}
    where as_of_date = {{ date_literal(var('business_date')) }}

),

mains as (

    select
        payee_key as customer_key,
        'payer' as lost_role,
        payer_key as lost_key,
        payee_share as lost_share,
        edges.*
    from edges
    where payer_rank = 1

    union all

    select
        payer_key as customer_key,
        'payee' as lost_role,
        payee_key as lost_key,
        payer_share as lost_share,
        edges.*
    from edges
    where payee_rank = 1

)

select
    mains.customer_key,
    cast(mains.lost_role as varchar) as lost_role,
    mains.lost_key,
    mains.relation,
    mains.lost_share,
    mains.payment_count,
    mains.payment_amount,
    mains.last_date,
    leavers.last_activity_date as lost_last_activity_date
from mains
inner join positions as leavers on mains.lost_key = leavers.customer_key
inner join positions as stayers on mains.customer_key = stayers.customer_key
where leavers.life_cycle_stage = 'lost' and stayers.life_cycle_stage <> 'lost'
