{{ config(tags=['serving']) }}
{%- set last = date_literal(var('business_date')) %}
with told as (

    select * from {{ ref('int_customer__changes_in_words') }}

),

-- who has left the bank
leavers as (

    select customer_key from {{ ref('int_customer__position_today') }}
    where asset_count <= 0

),

shown as (

    select change_kind from {{ ref('change_kinds') }}
    where is_shown

)

select
    told.customer_key,
    told.change_date,
    told.change_kind,
    told.change_detail,
    told.segment,
    told.amount,
    told.previous_amount,
    told.weight,
    cast(row_number() over (
        partition by told.customer_key
        order by told.weight desc, told.change_date desc, told.change_kind, told.change_detail
    ) as integer) as change_rank,
    told.sentence_en,
    told.sentence_zh
from told
inner join shown on told.change_kind = shown.change_kind
left join leavers on told.customer_key = leavers.customer_key
where told.change_date > {{ days_before(last, var('change_days')) }}
    -- that a salary stays away is no news of somebody who has left
    and (told.change_kind <> 'income_stopped' or leavers.customer_key is null)
    -- what has matured is no news any more
    and (told.change_kind <> 'maturity_near' or told.event_date >= {{ last }})
