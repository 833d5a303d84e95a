-- Grain: loan, today. Feeds give no outstanding principal: the share of the instalments that is not yet paid stands for
-- it.
with states as (

    {{ last_known(ref('stg_branch__loans'), ['loan_no', 'business_date']) }}

),

loans as (

    select
        *,
        row_number() over (partition by loan_no order by business_date desc) as recency
    from states

),

instalment_states as (

    {{ last_known(ref('stg_branch__loan_repayments'), ['repayment_id', 'business_date']) }}

),

instalments as (

    select
        *,
        row_number() over (partition by repayment_id order by business_date desc) as recency
    from instalment_states

),

paid as (

    select
        loan_no,
        sum(paid_amount) as paid_amount,
        max(case when paid_amount < due_amount then days_past_due else 0 end) as reported_days_past_due,
        sum(due_amount - paid_amount) as unpaid_amount,
        min(
            case
                when paid_amount < due_amount and due_date <= {{ date_literal(var('business_date')) }} then due_date
            end
        ) as unpaid_since_date,
        max(due_date) as last_due_date
    from instalments
    where recency = 1
    group by loan_no

)

select
    loans.loan_no,
    loans.party_key,
    loans.account_no,
    loans.product_code,
    loans.granted_date,
    loans.status,
    cast('cif:' || loans.guarantor_customer_no as varchar) as guarantor_party_key,
    loans.principal as principal_amount,
    loans.instalment as instalment_amount,
    case
        when loans.status not in ('running', 'in_arrears') or paid.unpaid_since_date is null then 0
        -- by the calendar: the age that the bank last reported stands still between its reports
        else greatest(
                paid.reported_days_past_due,
                {{ days_between('paid.unpaid_since_date', date_literal(var('business_date'))) }}
            )
    end as days_past_due,
    cast(coalesce(paid.unpaid_amount, 0) as decimal(38, 2)) as unpaid_amount,
    paid.unpaid_since_date,
    paid.last_due_date,
    case
        when loans.status in ('repaid', 'written_off') then cast(0 as decimal(38, 2))
        when coalesce(loans.instalment, 0) = 0 then cast(loans.principal as decimal(38, 2))
        when coalesce(paid.paid_amount, 0) >= loans.instalment * loans.term_months then cast(0 as decimal(38, 2))
        else
            {{ average_amount(
                'loans.principal'
                ~ ' * cast(100 * (loans.instalment * loans.term_months - coalesce(paid.paid_amount, 0)) as bigint)',
                'cast(100 * loans.instalment * loans.term_months as bigint)'
            ) }}
    end as outstanding_amount
from loans
left join paid on loans.loan_no = paid.loan_no
where loans.recency = 1
