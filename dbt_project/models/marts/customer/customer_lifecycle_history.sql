with months as (

    select
        customer_key,
        as_of_date,
        life_cycle_stage,
        life_cycle_reason,
        lag(life_cycle_stage) over (partition by customer_key order by as_of_date) as previous_life_cycle_stage
    from {{ ref('int_customer__positions_monthly') }}
    where as_of_date = cast({{ dbt.last_day('as_of_date', 'month') }} as date)
        or as_of_date = {{ date_literal(var('business_date')) }}

),

moves as (

    select
        *,
        lead(as_of_date) over (partition by customer_key order by as_of_date) as valid_to
    from months
    where previous_life_cycle_stage is null or previous_life_cycle_stage <> life_cycle_stage

)

select
    moves.customer_key,
    moves.life_cycle_stage,
    moves.previous_life_cycle_stage,
    moves.as_of_date as valid_from,
    moves.valid_to,
    moves.life_cycle_reason as reason_code,
    reasons.phrase_en as reason_en,
    reasons.phrase_zh as reason_zh
from moves
left join {{ ref('life_cycle_reasons') }} as reasons on moves.life_cycle_reason = reasons.reason_code
