{{ config(materialized='ephemeral') }}
{% set dates = ref('int_calendar__as_of_dates') %}

with identity as (
    select * from {{ ref('int_party__customers_known_on_as_of_dates') }}
),

loans as (
    {{ states_known_on(ref('stg_branch__loans_versions'), 'loan_no', dates, 'as_of_date') }}
),

repayments as (
    {{ states_known_on(ref('stg_branch__loan_repayments_versions'), 'repayment_id', dates, 'as_of_date') }}
),

instalments as (
    select
        repayments.*,
        repayments.paid_amount < repayments.due_amount and loans.status <> 'repaid' as is_unpaid
    from repayments
    inner join loans on repayments.state_date = loans.state_date and repayments.loan_no = loans.loan_no
),

-- by the calendar: the age that the bank last reported stands still between its reports
aged_instalments as (
    select
        state_date,
        loan_no,
        is_unpaid,
        {{ days_between('business_date', 'state_date') }} as days_since_state,
        greatest(
            days_past_due, {{ days_between('due_date', 'case when is_unpaid then state_date else paid_date end') }}
        ) as days_late
    from instalments
),

repayments_by_loan as (
    select
        state_date,
        loan_no,
        count(*) as instalment_count,
        count(*) filter (where days_late > 0) as late_instalment_count,
        count(*) filter (where is_unpaid) as unpaid_instalment_count,
        max(days_late) filter (where is_unpaid) as days_past_due,
        max(days_late) as worst_days_past_due,
        max(days_late) filter (where is_unpaid or days_since_state < 90) as worst_days_past_due_90d,
        min(case when is_unpaid then 0 else days_since_state end) filter (where days_late >= 30) as days_since_arrears
    from aged_instalments
    group by state_date, loan_no
),

loan_states as (
    select
        identity.as_of_date,
        identity.customer_key,
        loans.status,
        loans.status in ('running', 'in_arrears') as is_owed,
        loans.instalment,
        loans.term_months - {{ months_between('loans.granted_date', 'loans.state_date') }} as remaining_term_months,
        guarantors.customer_key as guarantor_key,
        repayments_by_loan.*
    from loans
    inner join identity on loans.state_date = identity.as_of_date and loans.party_key = identity.party_key
    left join identity as guarantors
        on loans.state_date = guarantors.as_of_date and 'cif:' || loans.guarantor_customer_no = guarantors.party_key
    left join repayments_by_loan
        on loans.state_date = repayments_by_loan.state_date and loans.loan_no = repayments_by_loan.loan_no
),

loans_owed as (
    select
        as_of_date,
        customer_key,
        count(*) filter (where is_owed) as loan_count,
        count(*) filter (where status = 'running') as running_loan_count,
        sum(instalment) filter (where is_owed) as instalment_amount,
        max(remaining_term_months) filter (where is_owed) as remaining_term_months,
        max(days_past_due) filter (where is_owed) as days_past_due,
        max(worst_days_past_due) as worst_days_past_due,
        max(worst_days_past_due_90d) as worst_days_past_due_90d,
        min(days_since_arrears) as days_since_arrears,
        sum(instalment_count) as instalment_count,
        sum(late_instalment_count) as late_instalment_count,
        sum(unpaid_instalment_count) filter (where is_owed) as unpaid_instalment_count
    from loan_states
    group by as_of_date, customer_key
),

guarantors as (
    select
        loan_states.as_of_date,
        loan_states.customer_key,
        max(coalesce(loans_owed.days_past_due, 0)) as guarantor_days_past_due
    from loan_states
    left join loans_owed
        on loan_states.as_of_date = loans_owed.as_of_date and loan_states.guarantor_key = loans_owed.customer_key
    where loan_states.is_owed and loan_states.guarantor_key is not null
    group by loan_states.as_of_date, loan_states.customer_key
)

select
    loans_owed.*,
    guarantors.guarantor_days_past_due
from loans_owed
left join guarantors
    on loans_owed.as_of_date = guarantors.as_of_date and loans_owed.customer_key = guarantors.customer_key
