-- End-of-day balances of deposit accounts, for the days on which they changed. Every version that was ever known.
with source as (

    select * from {{ source('raw', 'balances') }}

),

renamed as (

    select
        ---------- ids
        account_no,
        business_date,
        ---------- texts
        currency,
        ---------- numbers
        balance,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
