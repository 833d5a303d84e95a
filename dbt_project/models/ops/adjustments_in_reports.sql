-- What counts, and what was taken back: a figure of a date before the reversal still has it.
select
    cast(adjustments.adjustment_id as varchar) as adjustment_id,
    cast(uses.report_kind as varchar) as report_kind,
    cast(uses.report as varchar) as report,
    cast(adjustments.element as varchar) as element,
    adjustments.branch_code,
    adjustments.effective_date,
    adjustments.amount,
    uses.is_adjusted
from {{ ref('adjustments') }} as adjustments
inner join {{ ref('stg_lake__element_uses') }} as uses on adjustments.element = uses.element
where adjustments.is_counted
