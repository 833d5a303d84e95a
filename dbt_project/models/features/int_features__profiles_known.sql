{{ config(schema='build_intermediate', contract={'enforced': false}) }}

{% set dates = ref('int_features__as_of_dates') %}

with identity as (
    select * from {{ ref('int_features__identity_known') }}
),

accounts as (
    select * from {{ ref('int_features__accounts_known') }}
),

customers as (
    {{ features_state(ref('stg_branch__customers_versions'), 'customer_no', dates, 'as_of_date') }}
),

rm_assignments as (
    select * from {{ ref('stg_reference__rm_assignments') }}
),

persons as (
    select
        identity.as_of_date,
        identity.customer_key,
        min(customers.opened_date) as opened_date,
        min(customers.birth_date) as birth_date,
        max(customers.monthly_income) as monthly_income_amount,
        max(cast(substring(customers.risk_rating, 2, 1) as integer)) as risk_rating_level,
        max(case when customers.party_type = 'E' then 1 else 0 end) as is_enterprise,
        max(case when customers.is_marketing_opt_out then 1 else 0 end) as is_marketing_opt_out,
        max(case when rm_assignments.party_key is not null then 1 else 0 end) as has_rm
    from customers
    inner join identity
        on customers.state_date = identity.as_of_date and customers.party_key = identity.party_key
    left join rm_assignments
        on customers.party_key = rm_assignments.party_key
        and rm_assignments.valid_from <= customers.state_date
        and (rm_assignments.valid_to is null or rm_assignments.valid_to >= customers.state_date)
    group by identity.as_of_date, identity.customer_key
),

account_counts as (
    select
        as_of_date,
        customer_key,
        count(*) filter (where is_open and is_deposit) as deposit_account_count,
        count(distinct case when is_open then product_family end) as product_family_count,
        count(*) filter (where not is_open and is_deposit) as closed_account_count
    from accounts
    group by as_of_date, customer_key
)

select
    persons.as_of_date,
    persons.customer_key,
    {{ days_between('persons.opened_date', 'persons.as_of_date') }} as tenure_days,
    {{ days_between('persons.birth_date', 'persons.as_of_date') }} / 365.25 as age_years,
    persons.monthly_income_amount,
    persons.risk_rating_level,
    persons.is_enterprise,
    persons.is_marketing_opt_out,
    persons.has_rm,
    account_counts.deposit_account_count,
    account_counts.product_family_count,
    account_counts.closed_account_count
from persons
inner join account_counts
    on persons.as_of_date = account_counts.as_of_date
    and persons.customer_key = account_counts.customer_key
where account_counts.deposit_account_count > 0
