{{ config(schema='build_intermediate', contract={'enforced': false}) }}

{% set amounts = ['inflow', 'outflow', 'salary', 'wallet_outflow', 'mmf_outflow', 'other_bank_outflow', 'merchant_outflow', 'cash_outflow'] %}
{% set counts = ['own_txn', 'salary', 'counter_txn', 'atm_txn', 'mobile_txn', 'web_txn', 'pos_txn', 'wallet_txn'] %}
{% set windows = {'30d': 'days_ago < 30', '90d': 'days_ago < 90', 'previous_90d': 'days_ago >= 90'} %}

with account_days as (
    select * from {{ ref('int_features__account_days') }}
),

as_of_days as (
    select * from {{ ref('int_features__as_of_days') }}
),

accounts as (
    select * from {{ ref('int_features__accounts_known') }}
),

summed_by_account as (
    select
        as_of_days.as_of_date,
        account_days.account_no
        {%- for window, test in windows.items() %}{% for name in amounts %},
        sum(account_days.{{ name }}_amount) filter (where as_of_days.{{ test }}) as {{ name }}_{{ window }}_amount
        {%- endfor %}{% for name in counts %},
        sum(account_days.{{ name }}_count) filter (where as_of_days.{{ test }}) as {{ name }}_{{ window }}_count
        {%- endfor %}{% endfor %},
        max(account_days.largest_outflow_amount) filter (where as_of_days.days_ago < 90) as largest_outflow_90d_amount,
        min(as_of_days.days_ago) filter (where account_days.own_txn_count > 0) as days_since_txn,
        min(as_of_days.days_ago) filter (where account_days.salary_count > 0) as days_since_salary
    from account_days
    inner join as_of_days
        on account_days.business_date = as_of_days.business_date
        and account_days.known_date <= as_of_days.as_of_date
        and (account_days.superseded_date is null or account_days.superseded_date > as_of_days.as_of_date)
    group by as_of_days.as_of_date, account_days.account_no
)

select
    summed_by_account.as_of_date,
    accounts.customer_key
    {%- for window in windows %}{% for name in amounts %},
    cast(coalesce(sum({{ name }}_{{ window }}_amount), 0) as decimal(38,2)) as {{ name }}_{{ window }}_amount
    {%- endfor %}{% for name in counts %},
    cast(coalesce(sum({{ name }}_{{ window }}_count), 0) as bigint) as {{ name }}_{{ window }}_count
    {%- endfor %}{% endfor %},
    cast(coalesce(max(largest_outflow_90d_amount), 0) as decimal(38,2)) as largest_outflow_90d_amount,
    min(days_since_txn) as days_since_txn,
    min(days_since_salary) as days_since_salary
from summed_by_account
inner join accounts
    on summed_by_account.as_of_date = accounts.as_of_date
    and summed_by_account.account_no = accounts.account_no
group by summed_by_account.as_of_date, accounts.customer_key
