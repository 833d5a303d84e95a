{{ config(
    materialized='incremental', incremental_strategy='replace_as_of_dates', on_schema_change='fail',
    meta={'partition_by': 'as_of_date'},
) }}

{% set sampled = features_sampled_days() %}

with profiles as (
    select * from {{ ref('int_features__profiles_known') }}
),

positions as (
    select * from {{ ref('int_features__positions_known') }}
),

flows as (
    select * from {{ ref('int_features__flows_known') }}
),

activity as (
    select * from {{ ref('int_features__activity_known') }}
),

obligations as (
    select * from {{ ref('int_features__obligations_known') }}
),

tiers as (
{{ features_tiers() }}
),

averaged as (
    select
        *,
        cast(aum_days_90d_amount as double precision) / 90 as average_aum_90d_amount,
        cast(aum_days_previous_90d_amount as double precision) / 90 as average_aum_previous_90d_amount,
        cast({% for days in sampled %}deposit_{{ days }}d_ago_amount{{ ' + ' if not loop.last }}{% endfor %} as double precision)
            / {{ sampled | length }} as mean_deposit_amount
    from positions
),

measured as (
    select
        averaged.*,
        tiers.star_tier,
        tiers.lower_amount,
        tiers.upper_amount,
        sqrt((
            {%- for days in sampled %}
            power(cast(averaged.deposit_{{ days }}d_ago_amount as double precision) - averaged.mean_deposit_amount, 2)
            {{- ' +' if not loop.last }}
            {%- endfor %}
        ) / {{ sampled | length }}) as deposit_deviation_amount
    from averaged
    left join tiers
        on averaged.average_aum_90d_amount >= tiers.lower_amount
        and (tiers.upper_amount is null or averaged.average_aum_90d_amount < tiers.upper_amount)
)

select
    profiles.customer_key,
    profiles.as_of_date,
    ---------- what is held
    cast(coalesce(measured.aum_0d_ago_amount, 0) as double precision) as aum_amount,
    cast(coalesce(measured.deposit_0d_ago_amount, 0) as double precision) as deposit_amount,
    {{ features_ratio('measured.aum_0d_ago_amount - measured.deposit_0d_ago_amount', 'measured.aum_0d_ago_amount') }} as investment_rate,
    cast(coalesce(measured.average_aum_90d_amount, 0) as double precision) as average_aum_90d_amount,
    cast(coalesce(measured.star_tier, 1) as double precision) as star_tier,
    {{ features_ratio('measured.upper_amount - measured.average_aum_90d_amount', 'measured.upper_amount') }} as next_tier_gap_rate,
    {{ features_ratio('measured.average_aum_90d_amount - measured.lower_amount', 'measured.average_aum_90d_amount') }} as lower_tier_margin_rate,
    cast(coalesce(profiles.deposit_account_count, 0) as double precision) as deposit_account_count,
    cast(coalesce(profiles.closed_account_count, 0) as double precision) as closed_account_count,
    cast(coalesce(profiles.product_family_count, 0) as double precision) as product_family_count,
    cast(coalesce(obligations.investment_product_count, 0) as double precision) as investment_product_count,
    {{ features_ratio('obligations.maturing_30d_amount', 'measured.aum_0d_ago_amount') }} as maturing_30d_rate,
    {{ features_ratio('obligations.maturing_90d_amount', 'measured.aum_0d_ago_amount') }} as maturing_90d_rate,
    ---------- how it moves
    {{ features_ratio('measured.aum_0d_ago_amount', 'measured.aum_30d_ago_amount') }} as aum_30d_rate,
    {{ features_ratio('measured.aum_0d_ago_amount', 'measured.aum_90d_ago_amount') }} as aum_90d_rate,
    {{ features_ratio('measured.average_aum_90d_amount', 'measured.average_aum_previous_90d_amount') }} as average_aum_change_90d_rate,
    {{ features_ratio('measured.deposit_deviation_amount', 'measured.mean_deposit_amount') }} as deposit_volatility_90d_rate,
    ---------- money in and out
    cast(coalesce(flows.inflow_90d_amount, 0) as double precision) as inflow_90d_amount,
    cast(coalesce(flows.outflow_90d_amount, 0) as double precision) as outflow_90d_amount,
    {{ features_ratio('3 * flows.inflow_30d_amount', 'flows.inflow_90d_amount') }} as inflow_pace_rate,
    {{ features_ratio('3 * flows.outflow_30d_amount', 'flows.outflow_90d_amount') }} as outflow_pace_rate,
    {{ features_ratio('flows.inflow_90d_amount', 'flows.inflow_previous_90d_amount') }} as inflow_change_90d_rate,
    {{ features_ratio('flows.outflow_90d_amount', 'flows.outflow_previous_90d_amount') }} as outflow_change_90d_rate,
    {{ features_ratio('flows.inflow_30d_amount - flows.outflow_30d_amount', 'measured.average_aum_90d_amount') }} as net_flow_30d_rate,
    {{ features_ratio('flows.inflow_90d_amount - flows.outflow_90d_amount', 'measured.average_aum_90d_amount') }} as net_flow_90d_rate,
    {{ features_ratio('flows.largest_outflow_90d_amount', 'measured.average_aum_90d_amount') }} as largest_outflow_90d_rate,
    ---------- who is on the other side
    {{ features_ratio('flows.wallet_outflow_90d_amount', 'flows.outflow_90d_amount') }} as wallet_outflow_90d_rate,
    {{ features_ratio('flows.mmf_outflow_90d_amount', 'flows.outflow_90d_amount') }} as mmf_outflow_90d_rate,
    {{ features_ratio('flows.other_bank_outflow_90d_amount', 'flows.outflow_90d_amount') }} as other_bank_outflow_90d_rate,
    {{ features_ratio('flows.merchant_outflow_90d_amount', 'flows.outflow_90d_amount') }} as merchant_outflow_90d_rate,
    {{ features_ratio('flows.cash_outflow_90d_amount', 'flows.outflow_90d_amount') }} as cash_outflow_90d_rate,
    {{ features_ratio('flows.other_bank_outflow_30d_amount', 'flows.outflow_30d_amount') }} as other_bank_outflow_30d_rate,
    cast(coalesce(obligations.wallet_count, 0) as double precision) as wallet_count,
    ---------- salary
    cast(coalesce(flows.salary_90d_amount, 0) as double precision) as salary_90d_amount,
    cast(coalesce(flows.days_since_salary, 180) as double precision) as days_since_salary,
    {{ features_ratio('flows.salary_90d_amount', 'flows.salary_previous_90d_amount') }} as salary_change_90d_rate,
    ---------- postings by channel
    cast(coalesce(flows.own_txn_30d_count, 0) as double precision) as txn_30d_count,
    cast(coalesce(flows.own_txn_90d_count, 0) as double precision) as txn_90d_count,
    cast(coalesce(flows.days_since_txn, 180) as double precision) as days_since_txn,
    {{ features_ratio('flows.own_txn_90d_count', 'flows.own_txn_previous_90d_count') }} as txn_change_90d_rate,
    cast(coalesce(flows.counter_txn_90d_count, 0) as double precision) as counter_txn_90d_count,
    cast(coalesce(flows.mobile_txn_90d_count, 0) as double precision) as mobile_txn_90d_count,
    cast(coalesce(flows.pos_txn_90d_count, 0) as double precision) as pos_txn_90d_count,
    cast(coalesce(flows.wallet_txn_90d_count, 0) as double precision) as wallet_txn_90d_count,
    ---------- app, web and branch
    cast(coalesce(activity.app_login_30d_count, 0) as double precision) as app_login_30d_count,
    cast(coalesce(activity.app_login_90d_count, 0) as double precision) as app_login_90d_count,
    cast(coalesce(activity.web_login_90d_count, 0) as double precision) as web_login_90d_count,
    cast(coalesce(activity.product_view_90d_count, 0) as double precision) as product_view_90d_count,
    cast(coalesce(activity.application_90d_count, 0) as double precision) as application_90d_count,
    cast(coalesce(activity.help_90d_count, 0) as double precision) as help_90d_count,
    cast(coalesce(activity.close_account_view_30d_count, 0) as double precision) as close_account_view_30d_count,
    cast(coalesce(activity.close_account_view_90d_count, 0) as double precision) as close_account_view_90d_count,
    cast(coalesce(activity.mall_order_90d_count, 0) as double precision) as mall_order_90d_count,
    cast(coalesce(activity.visit_90d_count, 0) as double precision) as visit_90d_count,
    cast(coalesce(activity.account_visit_90d_count, 0) as double precision) as account_visit_90d_count,
    cast(coalesce(activity.wealth_visit_90d_count, 0) as double precision) as wealth_visit_90d_count,
    {{ features_ratio(
        'activity.app_login_90d_count + activity.web_login_90d_count',
        'activity.app_login_180d_count + activity.web_login_180d_count - activity.app_login_90d_count - activity.web_login_90d_count',
    ) }} as login_change_90d_rate,
    cast(coalesce(activity.days_since_online_login, 180) as double precision) as days_since_online_login,
    cast(coalesce(activity.days_since_visit, 180) as double precision) as days_since_visit,
    ---------- contacts, complaints, campaigns
    cast(coalesce(activity.contact_90d_count, 0) as double precision) as contact_90d_count,
    cast(coalesce(activity.retention_contact_90d_count, 0) as double precision) as retention_contact_90d_count,
    cast(coalesce(activity.days_since_contact, 180) as double precision) as days_since_contact,
    cast(coalesce(activity.complaint_180d_count, 0) as double precision) as complaint_180d_count,
    cast(coalesce(activity.touch_90d_count, 0) as double precision) as touch_90d_count,
    cast(coalesce(activity.response_90d_count, 0) as double precision) as response_90d_count,
    ---------- cards and loans
    cast(coalesce(obligations.credit_card_count, 0) as double precision) as credit_card_count,
    cast(coalesce(obligations.loan_count, 0) as double precision) as loan_count,
    {{ features_ratio('obligations.instalment_amount', 'profiles.monthly_income_amount') }} as instalment_burden_rate,
    cast(coalesce(obligations.days_past_due, 0) as double precision) as days_past_due,
    cast(coalesce(obligations.worst_days_past_due, 0) as double precision) as worst_days_past_due,
    ---------- who they are
    cast(profiles.tenure_days as double precision) as tenure_days,
    cast(profiles.age_years as double precision) as age_years,
    cast(profiles.monthly_income_amount as double precision) as monthly_income_amount,
    cast(profiles.risk_rating_level as double precision) as risk_rating_level,
    cast(profiles.is_enterprise as double precision) as is_enterprise,
    cast(profiles.is_marketing_opt_out as double precision) as is_marketing_opt_out,
    cast(profiles.has_rm as double precision) as has_rm
from profiles
{%- for relation in ['measured', 'flows', 'activity', 'obligations'] %}
left join {{ relation }}
    on profiles.as_of_date = {{ relation }}.as_of_date and profiles.customer_key = {{ relation }}.customer_key
{%- endfor %}
