-- Debit and credit cards: one full row for every card that was issued or changed that day. Current rows only.
with versions as (

    select * from {{ ref('stg_branch__cards_versions') }}

)

select * from versions
where _superseded_date is null
