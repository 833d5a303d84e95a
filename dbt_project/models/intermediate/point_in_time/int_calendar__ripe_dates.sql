with month_ends as (
    select as_of_date, {{ features_days_before('as_of_date', -90) }} as ripe_date
    from {{ ref('customer_features') }}
    where extract(day from {{ features_days_before('as_of_date', -1) }}) = 1
    group by as_of_date
)

select * from month_ends
where {{ dates_of_run('ripe_date') }}
