-- noqa: disable=LT02
{% set amounts = [
    'inflow', 'outflow', 'salary', 'wallet_outflow', 'mmf_outflow', 'other_bank_outflow', 'merchant_outflow',
    'cash_outflow', 'bank_inflow', 'unnamed_inflow', 'unnamed_outflow',
] %}
{% set classes = ['wallet_outflow', 'mmf_outflow', 'other_bank_outflow', 'merchant_outflow', 'cash_outflow'] %}
{% set counts = ['own_txn', 'counter_txn', 'mobile_txn', 'pos_txn', 'wallet_txn'] %}
{% set half_year_counts = classes + ['utility_outflow', 'inflow', 'fee'] %}
{% set month_amounts = ['inflow', 'outflow', 'other_bank_outflow', 'bank_inflow'] %}
{% set windows = {
    '30d': {'stretches': 'stretch = 1', 'amounts': month_amounts, 'counts': ['own_txn']},
    '90d': {'stretches': 'stretch <= 2', 'amounts': amounts, 'counts': counts},
    '180d': {'stretches': 'stretch <= 3', 'amounts': ['inflow', 'outflow'], 'counts': counts + half_year_counts},
    'previous_90d': {'stretches': 'stretch = 3', 'amounts': ['inflow', 'outflow', 'salary'], 'counts': ['own_txn']},
} %}

with account_days as (
    select * from {{ ref('int_account__flow_days_bitemporal') }}
),

as_of_days as (
    select
        *,
        case when days_ago < 30 then 1 when days_ago < 90 then 2 else 3 end as stretch
    from {{ ref('int_calendar__as_of_days') }}
),

accounts as (
    select * from {{ ref('int_account__known_on_as_of_dates') }}
),

summed_by_stretch as (
    select
        as_of_days.as_of_date,
        as_of_days.stretch,
        account_days.account_no_token
        {%- for name in amounts %},
        sum(account_days.{{ name }}_amount) as {{ name }}_amount
        {%- endfor %}{% for name in counts + half_year_counts %},
        sum(account_days.{{ name }}_count) as {{ name }}_count
        {%- endfor %},
        sum(case when account_days.salary_amount > 0 then extract(day from account_days.business_date) end)
            as salary_days_of_month,
        count(case when account_days.salary_amount > 0 then 1 end) as salary_day_count,
        max(account_days.largest_outflow_amount) as largest_outflow_amount,
        min(case when account_days.own_txn_count > 0 then as_of_days.days_ago end) as days_since_txn,
        min(case when account_days.salary_amount > 0 then as_of_days.days_ago end) as days_since_salary
    from account_days
    inner join as_of_days
        on account_days.business_date = as_of_days.business_date
            and account_days.known_date <= as_of_days.as_of_date
            and (account_days.superseded_date is null or account_days.superseded_date > as_of_days.as_of_date)
    group by as_of_days.as_of_date, as_of_days.stretch, account_days.account_no_token
)

select
    summed_by_stretch.as_of_date,
    accounts.customer_key
    {%- for window, summed in windows.items() %}{% for name in summed.amounts %},
    cast(coalesce(sum({{ name }}_amount) filter (where {{ summed.stretches }}), 0) as decimal(38, 2))
        as {{ name }}_amount_{{ window }}
    {%- endfor %}{% for name in summed.counts %},
    cast(coalesce(sum({{ name }}_count) filter (where {{ summed.stretches }}), 0) as bigint)
        as {{ name }}_count_{{ window }}
    {%- endfor %}{% endfor %},
    cast(coalesce(max(largest_outflow_amount) filter (where stretch <= 2), 0) as decimal(38, 2))
        as largest_outflow_amount_90d,
    cast(sum(salary_days_of_month) as double precision) / nullif(cast(sum(salary_day_count) as double precision), 0)
        as mean_salary_day_180d,
    min(days_since_txn) as days_since_txn,
    min(days_since_salary) as days_since_salary
from summed_by_stretch
inner join accounts
    on summed_by_stretch.as_of_date = accounts.as_of_date
        and summed_by_stretch.account_no_token = accounts.account_no_token
group by summed_by_stretch.as_of_date, accounts.customer_key
