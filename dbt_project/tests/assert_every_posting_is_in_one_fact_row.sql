-- A failure means that postings were lost, or counted twice, between the lake and fct_transactions in the dates of this
-- run. Expected: every current row, less the repeats that int_ops__repeated_events lists. Counted apart from how the
-- fact is built.
{{ config(tags=['marts']) }}
with loaded as (

    select
        count(*) as row_count,
        coalesce(sum(amount), 0) as amount
    from {{ ref('stg_branch__transactions') }}
    where {{ dates_of_run('business_date') }}

),

repeated as (

    select
        count(*) as row_count,
        coalesce(sum(tellings.amount), 0) as amount
    from {{ ref('stg_branch__transactions') }} as tellings
    where {{ dates_of_run('tellings.business_date') }}
        and exists (
            select 1 from {{ ref('int_ops__repeated_events') }} as repeats
            where repeats.feed = 'transactions'
                and repeats.valid_to is null
                and repeats.dropped_delivery = tellings._delivery
                and repeats.dropped_row = tellings._row
        )

),

facts as (

    select
        count(*) as row_count,
        coalesce(sum(amount), 0) as amount
    from {{ ref('fct_transactions') }}
    where {{ dates_of_run('business_date') }}

)

select
    loaded.row_count as loaded_count,
    repeated.row_count as repeated_count,
    facts.row_count as fact_count
from loaded
cross join repeated
cross join facts
where facts.row_count <> loaded.row_count - repeated.row_count
    or facts.amount <> loaded.amount - repeated.amount
