-- Grain: loan, today.
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
        max(case when paid_amount < due_amount then days_past_due else 0 end) as reported_days_past_due,
        sum(greatest(due_amount - paid_amount, 0)) as unpaid_amount,
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
    loans.account_no_token,
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
    balances.loss_given_default_rate,
    balances.outstanding_amount
from loans
left join paid on loans.loan_no = paid.loan_no
inner join {{ ref('int_loan__balances_monthly') }} as balances
    on loans.loan_no = balances.loan_no and balances.as_of_date = {{ date_literal(var('business_date')) }}
where loans.recency = 1
