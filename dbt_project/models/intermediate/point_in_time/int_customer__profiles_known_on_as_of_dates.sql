{% set is_debt = "coalesce(products.product_family in ('loan', 'card'), false)" %}
{% set dates = ref('int_calendar__as_of_dates') %}

with identity as (
    select * from {{ ref('int_party__customers_known_on_as_of_dates') }}
),

accounts as (
    select * from {{ ref('int_account__known_on_as_of_dates') }}
),

customers as (
    {{ states_known_on(ref('stg_branch__customers_versions'), 'customer_no', dates, 'as_of_date') }}
),

products as (
    select dates.as_of_date, products.product_code, products.product_family
    from {{ ref('stg_reference__products_versions') }} as products
    inner join {{ dates }} as dates on {{ is_known_on('products', 'dates.as_of_date') }}
),

managed_parties as (
    select dates.as_of_date, assignments.party_key
    from {{ ref('stg_reference__rm_assignments_versions') }} as assignments
    inner join {{ dates }} as dates
        on {{ is_known_on('assignments', 'dates.as_of_date') }}
            and assignments.valid_from <= dates.as_of_date
            and (assignments.valid_to is null or assignments.valid_to >= dates.as_of_date)
    group by dates.as_of_date, assignments.party_key
),

persons as (
    select
        identity.as_of_date,
        identity.customer_key,
        min(customers.opened_date) as opened_date,
        min(customers.birth_date) as birth_date,
        max(customers.monthly_income) as monthly_income_amount,
        max(cast(substring(customers.risk_rating, 2, 1) as integer)) as risk_rating_level,
        min(cast(substring(customers.risk_rating, 2, 1) as integer)) as lowest_risk_rating_level,
        max(case when customers.party_type = 'E' then 1 else 0 end) as is_enterprise,
        max(case when customers.is_marketing_opt_out then 1 else 0 end) as is_marketing_opt_out,
        max(case when managed_parties.party_key is not null then 1 else 0 end) as has_rm
    from customers
    inner join identity
        on customers.state_date = identity.as_of_date and customers.party_key = identity.party_key
    left join managed_parties
        on customers.state_date = managed_parties.as_of_date and customers.party_key = managed_parties.party_key
    group by identity.as_of_date, identity.customer_key
),

account_counts as (
    select
        accounts.as_of_date,
        accounts.customer_key,
        count(*) filter (where accounts.is_open and not {{ is_debt }}) as deposit_account_count,
        -- not since the records began: that count grows with their age, and a model learns from younger ones
        count(*) filter (
            where {{ days_between('accounts.closed_date', 'accounts.as_of_date') }} < 180 and not {{ is_debt }}
        ) as closed_account_count_180d,
        count(distinct case when accounts.is_open then products.product_family end) as product_family_count
    from accounts
    left join products
        on accounts.as_of_date = products.as_of_date and accounts.product_code = products.product_code
    group by accounts.as_of_date, accounts.customer_key
)

select
    persons.as_of_date,
    persons.customer_key,
    {{ days_between('persons.opened_date', 'persons.as_of_date') }} as tenure_days,
    -- by the years alone: an age in days would publish the birth date
    extract(year from persons.as_of_date) - extract(year from persons.birth_date) as age_years,
    persons.monthly_income_amount,
    persons.risk_rating_level,
    persons.lowest_risk_rating_level,
    persons.is_enterprise,
    persons.is_marketing_opt_out,
    persons.has_rm,
    account_counts.deposit_account_count,
    account_counts.product_family_count,
    account_counts.closed_account_count_180d
from persons
inner join account_counts
    on persons.as_of_date = account_counts.as_of_date
        and persons.customer_key = account_counts.customer_key
where account_counts.deposit_account_count > 0
