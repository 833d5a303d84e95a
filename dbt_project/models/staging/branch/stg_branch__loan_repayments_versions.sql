-- Loan instalments: a row when one falls due and again when it is paid or ages. Every version that was ever known.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'loan_repayments') }}

),

renamed as (

    select
        ---------- ids
        repayment_id,
        loan_no,
        ---------- numbers
        due_amount,
        paid_amount,
        days_past_due,
        ---------- dates and times
        business_date,
        due_date,
        paid_date,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
