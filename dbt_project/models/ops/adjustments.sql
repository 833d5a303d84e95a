select
    cast(adjustments._delivery as varchar) as delivery,
    cast(adjustments._file as varchar) as source_file,
    adjustments._row as source_row,
    cast(adjustments.adjustment_id as varchar) as adjustment_id,
    adjustments.business_date,
    adjustments.effective_date,
    cast(adjustments.element as varchar) as element,
    cast(elements.title_en as varchar) as element_en,
    cast(elements.title_zh as varchar) as element_zh,
    cast(adjustments.branch_code as varchar) as branch_code,
    cast(adjustments.amount as decimal(38, 2)) as amount,
    cast(adjustments.reason as varchar) as reason,
    cast(adjustments.evidence_reference as varchar) as evidence_reference,
    cast(adjustments.reverses_adjustment_id as varchar) as reverses_adjustment_id,
    cast(adjustments.prepared_by as varchar) as prepared_by,
    cast(adjustments.approved_by as varchar) as approved_by,
    cast(critical.owner as varchar) as element_owner,
    adjustments.refusal is null as is_counted,
    cast(adjustments.refusal as varchar) as refusal,
    cast(adjustments.reversed_by_adjustment_id as varchar) as reversed_by_adjustment_id,
    adjustments.reversed_date
from {{ ref('int_ops__adjustments') }} as adjustments
left join {{ ref('adjustable_elements') }} as elements on adjustments.element = elements.element
left join {{ ref('critical_elements') }} as critical on adjustments.element = critical.element
