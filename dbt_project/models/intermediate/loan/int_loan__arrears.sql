-- Grain: borrower with an unpaid instalment, or a loan that was written off.
with links as (

    select * from {{ ref('int_party__customers') }}

),

borrowers as (

    select
        links.customer_key,
        max(case when positions.status = 'written_off' then 1 else 0 end) = 1 as is_written_off,
        sum(positions.unpaid_amount) as unpaid_amount,
        min(positions.unpaid_since_date) as unpaid_since_date,
        max(positions.days_past_due) as days_past_due
    from {{ ref('int_loan__positions') }} as positions
    inner join links on positions.party_key = links.party_key
    where positions.status in ('running', 'in_arrears', 'written_off')
        and (positions.unpaid_since_date is not null or positions.status = 'written_off')
    group by links.customer_key

)

select
    customer_key,
    is_written_off,
    unpaid_amount,
    unpaid_since_date,
    cast(days_past_due as integer) as days_past_due,
    is_written_off or days_past_due >= {{ limit('contact_limits', 'collection_days') }} as is_in_collection
from borrowers
