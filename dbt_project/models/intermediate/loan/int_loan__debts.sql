-- Grain: loan that is owed, with the customers that borrow it and stand for it.
with links as (

    select * from {{ ref('int_party__customers') }}

)

select
    positions.loan_no,
    borrowers.customer_key,
    guarantors.customer_key as guarantor_key,
    positions.status,
    positions.instalment_amount,
    positions.unpaid_amount,
    positions.unpaid_since_date,
    positions.last_due_date
from {{ ref('int_loan__positions') }} as positions
inner join links as borrowers on positions.party_key = borrowers.party_key
left join links as guarantors on positions.guarantor_party_key = guarantors.party_key
where positions.status in ('running', 'in_arrears')
