-- Public holidays and made-up working days. Current rows only.
with source as (

    select * from {{ source('raw', 'holidays') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        holiday_date,
        ---------- texts
        holiday_name,
        is_workday,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery
    from source

)

select * from renamed
