with told as (

    select
        *,
        row_number() over (
            partition by adjustment_id order by _known_date, business_date, _delivery, _row
        ) as telling
    from {{ ref('stg_feedback__adjustments') }}

),

known as (

    select
        told.*,
        case
            when told.telling > 1 then 'number used before'
            when adjustable.element is null then 'element not adjustable'
            when branches.branch_code is null then 'no such branch'
            when told.amount = 0 then 'no amount'
        end as own_refusal
    from told
    left join {{ ref('adjustable_elements') }} as adjustable on told.element = adjustable.element
    left join {{ ref('stg_reference__branches') }} as branches on told.branch_code = branches.branch_code

),

new_ones as (

    select * from known
    where own_refusal is null and reverses_adjustment_id is null

),

reversals as (

    select
        known._delivery,
        known._row,
        known.adjustment_id,
        known.effective_date,
        known.reverses_adjustment_id,
        new_ones.adjustment_id is not null as has_original,
        known.element = new_ones.element
        and known.branch_code = new_ones.branch_code
        and known.amount = -new_ones.amount
        and known.effective_date >= new_ones.effective_date as is_opposite,
        known._known_date,
        known.business_date
    from known
    left join new_ones on known.reverses_adjustment_id = new_ones.adjustment_id
    where known.own_refusal is null and known.reverses_adjustment_id is not null

),

-- what does not fit takes nothing back: the next that fits may
ranked as (

    select
        *,
        row_number() over (
            partition by reverses_adjustment_id, has_original, is_opposite
            order by _known_date, business_date, _delivery, _row
        ) as reversal_number
    from reversals

),

judged as (

    select
        *,
        case
            when not has_original then 'reverses no adjustment that counts'
            when not is_opposite then 'not the opposite of what it reverses'
            when reversal_number > 1 then 'reversed before'
        end as reversal_refusal
    from ranked

),

taken_back as (

    select * from judged
    where reversal_refusal is null

)

select
    known.adjustment_id,
    known.business_date,
    known.effective_date,
    known.element,
    known.branch_code,
    known.amount,
    known.reason,
    known.evidence_reference,
    known.reverses_adjustment_id,
    known.prepared_by,
    known.approved_by,
    coalesce(known.own_refusal, judged.reversal_refusal) as refusal,
    taken_back.adjustment_id as reversed_by_adjustment_id,
    taken_back.effective_date as reversed_date,
    known._file,
    known._row,
    known._delivery
from known
left join judged on known._delivery = judged._delivery and known._row = judged._row
left join taken_back
    on known.adjustment_id = taken_back.reverses_adjustment_id
        and known.own_refusal is null
        and known.reverses_adjustment_id is null
