-- noqa: disable=LT02
{{ config(
    materialized='incremental', incremental_strategy='replace_as_of_dates', on_schema_change='fail',
    meta={'partition_by': 'as_of_date'},
) }}

{% set sampled = sampled_days() %}
{% set outflows -%}
    flows.wallet_outflow_count_180d + flows.mmf_outflow_count_180d + flows.other_bank_outflow_count_180d
    + flows.merchant_outflow_count_180d + flows.cash_outflow_count_180d
{%- endset %}

{#- How payments are divided: stem, window, part, whole. Yields and prices move the division for everybody at once. -#}
{%- set divided = [] -%}
{%- for to in ['wallet', 'mmf', 'other_bank', 'merchant', 'cash'] -%}
    {%- set stem = to ~ '_outflow' -%}
    {%- do divided.append((stem ~ '_rate', '90d', 'flows.' ~ stem ~ '_amount_90d', 'flows.outflow_amount_90d')) -%}
    {%- do divided.append((stem ~ '_share', '180d', 'flows.' ~ stem ~ '_count_180d', outflows)) -%}
{%- endfor -%}
{%- do divided.append((
    'utility_outflow_share', '180d', 'flows.utility_outflow_count_180d', outflows
)) -%}
{%- do divided.append((
    'other_bank_outflow_rate', '30d', 'flows.other_bank_outflow_amount_30d', 'flows.outflow_amount_30d'
)) -%}
{%- for by in ['pos', 'mobile', 'counter'] -%}
    {%- do divided.append((
        by ~ '_txn_share', '180d', 'flows.' ~ by ~ '_txn_count_180d', 'flows.own_txn_count_180d'
    )) -%}
{%- endfor %}

{#- As fund_chain_runway counts: payments between customers too, and nothing that comes from the bank itself. -#}
{% set chain_inflow -%}
    (
        coalesce(flows.inflow_amount_90d, 0) - coalesce(flows.bank_inflow_amount_90d, 0)
        + coalesce(flows.unnamed_inflow_amount_90d, 0) + coalesce(chain.within_inflow_amount_90d, 0)
    )
{%- endset %}
{% set chain_outflow -%}
    (
        coalesce(flows.outflow_amount_90d, 0) + coalesce(flows.unnamed_outflow_amount_90d, 0)
        + coalesce(chain.within_outflow_amount_90d, 0)
    )
{%- endset %}

with profiles as (
    select * from {{ ref('int_customer__profiles_known_on_as_of_dates') }}
),

positions as (
    select * from {{ ref('int_customer__positions_known_on_as_of_dates') }}
),

flows as (
    select * from {{ ref('int_customer__flows_known_on_as_of_dates') }}
),

activity as (
    select * from {{ ref('int_customer__activity_known_on_as_of_dates') }}
),

obligations as (
    select * from {{ ref('int_customer__obligations_known_on_as_of_dates') }}
),

chain as (
    select * from {{ ref('int_customer__counterparties_known_on_as_of_dates') }}
),

tiers as (
    {{ features_tiers() }}
),

averaged as (
    select
        *,
        cast(aum_days_amount_90d as double precision) / 90 as average_aum_amount_90d,
        cast(aum_days_amount_previous_90d as double precision) / 90 as average_aum_amount_previous_90d,
        cast(
            {% for days in sampled %}deposit_amount_{{ days }}d_ago{{ ' + ' if not loop.last }}{% endfor %}
            as double precision
        )
            / {{ sampled | length }} as mean_deposit_amount
    from positions
),

measured as (
    select
        averaged.*,
        tiers.star_tier,
        previous_tiers.star_tier as previous_star_tier,
        tiers.lower_amount,
        tiers.upper_amount,
        least({% for days in sampled %}averaged.deposit_amount_{{ days }}d_ago{{ ', ' if not loop.last }}{% endfor %})
            as lowest_deposit_amount_90d,
        sqrt((
            {%- for days in sampled %}
            power(cast(averaged.deposit_amount_{{ days }}d_ago as double precision) - averaged.mean_deposit_amount, 2)
            {{- ' +' if not loop.last }}
            {%- endfor %}
        ) / {{ sampled | length }}) as deposit_deviation_amount
    from averaged
    left join tiers
        on averaged.average_aum_amount_90d >= tiers.lower_amount
            and (tiers.upper_amount is null or averaged.average_aum_amount_90d < tiers.upper_amount)
    left join tiers as previous_tiers
        on averaged.average_aum_amount_previous_90d >= previous_tiers.lower_amount
            and (
                previous_tiers.upper_amount is null
                or averaged.average_aum_amount_previous_90d < previous_tiers.upper_amount
            )
),

divisions as (
    select
        profiles.as_of_date,
        profiles.customer_key,
        profiles.is_enterprise
        {%- for stem, window, part, whole in divided %},
        {{ features_ratio(part, whole) }} as {{ stem }}_{{ window }}
        {%- endfor %}
    from profiles
    left join flows on profiles.as_of_date = flows.as_of_date and profiles.customer_key = flows.customer_key
),

-- what is usual among persons, or enterprises, on the day; of decimals, so that the sum does not depend on its order
usual as (
    select
        as_of_date,
        is_enterprise
        {%- for stem, window, _, _ in divided %},
        {%- set name = stem ~ '_' ~ window %}
        cast(sum(cast({{ name }} as decimal(18, 9))) as double precision) / nullif(count({{ name }}), 0) as {{ name }}
        {%- endfor %}
    from divisions
    group by as_of_date, is_enterprise
),

-- customers of the same kind and tier on the same day: what the season or the market does to all is theirs, too
peers as (
    select
        profiles.as_of_date,
        profiles.is_enterprise,
        coalesce(measured.star_tier, 1) as star_tier,
        cast(count(*) as double precision) as customer_count,
        sum(flows.own_txn_count_90d) as txn_count_90d,
        sum(flows.outflow_amount_90d) as outflow_amount_90d,
        sum(activity.app_login_count_90d + activity.web_login_count_90d) as login_count_90d,
        sum(measured.aum_amount_0d_ago) as aum_amount_0d_ago,
        sum(measured.aum_amount_90d_ago) as aum_amount_90d_ago
    from profiles
    {%- for relation in ['measured', 'flows', 'activity'] %}
    left join {{ relation }}
        on profiles.as_of_date = {{ relation }}.as_of_date and profiles.customer_key = {{ relation }}.customer_key
    {%- endfor %}
    group by profiles.as_of_date, profiles.is_enterprise, coalesce(measured.star_tier, 1)
)

select
    profiles.customer_key,
    profiles.as_of_date,
    ---------- what is held
    cast(coalesce(measured.aum_amount_0d_ago, 0) as double precision) as aum_amount,
    cast(coalesce(measured.deposit_amount_0d_ago, 0) as double precision) as deposit_amount,
    {{ features_ratio('measured.aum_amount_0d_ago - measured.deposit_amount_0d_ago', 'measured.aum_amount_0d_ago') }}
        as investment_rate,
    cast(coalesce(measured.average_aum_amount_90d, 0) as double precision) as average_aum_amount_90d,
    cast(coalesce(measured.star_tier, 1) as double precision) as star_tier,
    cast(
        case when profiles.tenure_days >= 90 then coalesce(measured.previous_star_tier, 1) end as double precision
    ) as previous_star_tier,
    {{ features_ratio('measured.upper_amount - measured.average_aum_amount_90d', 'measured.upper_amount') }}
        as next_tier_gap_rate,
    {{ features_ratio('measured.average_aum_amount_90d - measured.lower_amount', 'measured.average_aum_amount_90d') }}
        as lower_tier_margin_rate,
    cast(coalesce(profiles.deposit_account_count, 0) as double precision) as deposit_account_count,
    cast(coalesce(profiles.closed_account_count_180d, 0) as double precision) as closed_account_count_180d,
    cast(coalesce(profiles.product_family_count, 0) as double precision) as product_family_count,
    cast(coalesce(obligations.investment_product_count, 0) as double precision) as investment_product_count,
    {{ features_ratio('obligations.maturing_amount_30d', 'measured.aum_amount_0d_ago') }} as maturing_rate_30d,
    {{ features_ratio('obligations.maturing_amount_90d', 'measured.aum_amount_0d_ago') }} as maturing_rate_90d,
    {{ features_ratio('measured.aum_amount_0d_ago', 'profiles.monthly_income_amount') }} as aum_to_income_rate,
    ---------- how it moves
    {{ features_ratio('measured.aum_amount_0d_ago', 'measured.aum_amount_30d_ago') }} as aum_rate_30d,
    {{ features_ratio('measured.aum_amount_0d_ago', 'measured.aum_amount_90d_ago') }} as aum_rate_90d,
    {{ features_ratio('measured.average_aum_amount_90d', 'measured.average_aum_amount_previous_90d') }}
        as average_aum_change_rate_90d,
    {{ features_ratio('measured.deposit_deviation_amount', 'measured.mean_deposit_amount') }}
        as deposit_volatility_rate_90d,
    ---------- money in and out
    cast(coalesce(flows.inflow_amount_90d, 0) as double precision) as inflow_amount_90d,
    cast(coalesce(flows.outflow_amount_90d, 0) as double precision) as outflow_amount_90d,
    {{ features_ratio(
        '3 * (flows.inflow_amount_30d - flows.bank_inflow_amount_30d)',
        'flows.inflow_amount_90d - flows.bank_inflow_amount_90d'
    ) }} as inflow_pace_rate,
    {{ features_ratio('3 * flows.outflow_amount_30d', 'flows.outflow_amount_90d') }} as outflow_pace_rate,
    {{ features_ratio('flows.inflow_amount_90d', 'flows.inflow_amount_previous_90d') }} as inflow_change_rate_90d,
    {{ features_ratio('flows.outflow_amount_90d', 'flows.outflow_amount_previous_90d') }} as outflow_change_rate_90d,
    {{ features_ratio('flows.inflow_amount_30d - flows.outflow_amount_30d', 'measured.average_aum_amount_90d') }}
        as net_flow_rate_30d,
    {{ features_ratio('flows.inflow_amount_90d - flows.outflow_amount_90d', 'measured.average_aum_amount_90d') }}
        as net_flow_rate_90d,
    {{ features_ratio('flows.inflow_amount_90d', '3 * profiles.monthly_income_amount') }} as inflow_to_income_rate_90d,
    {{ features_ratio('flows.outflow_amount_180d', '6 * profiles.monthly_income_amount') }}
        as outflow_to_income_rate_180d,
    {{ features_ratio('flows.largest_outflow_amount_90d', 'measured.average_aum_amount_90d') }}
        as largest_outflow_rate_90d,
    {{ features_ratio('flows.largest_outflow_amount_90d', 'profiles.monthly_income_amount') }}
        as largest_outflow_to_income_rate_90d,
    ---------- who is on the other side
    {%- for stem, window, _, _ in divided %}
    {%- set name = stem ~ '_' ~ window %}
    divisions.{{ name }},
    {{ features_ratio('divisions.' ~ name, 'usual.' ~ name) }} as {{ stem }}_to_usual_{{ window }},
    {%- endfor %}
    cast(coalesce(obligations.wallet_count, 0) as double precision) as bound_wallet_count,
    cast(coalesce(chain.payer_count_90d, 0) as double precision) as payer_count_90d,
    cast(coalesce(chain.payee_count_90d, 0) as double precision) as payee_count_90d,
    {{ features_ratio('chain.main_payer_amount_90d', 'chain.payers_amount_90d') }} as main_payer_rate_90d,
    {{ features_ratio('chain.strained_payers_amount_90d', 'chain.payers_amount_90d') }} as strained_payer_share_90d,
    {{ features_ratio('chain.main_payee_amount_90d', 'chain.payees_amount_90d') }} as main_payee_rate_90d,
    {{ features_ratio('chain.own_counterparty_count_90d', 'chain.payer_count_90d + chain.payee_count_90d') }}
        as own_counterparty_share_90d,
    cast(coalesce(chain.left_counterparty_count_90d, 0) as double precision) as left_counterparty_count_90d,
    ---------- beside customers of the same kind and tier
    {{ features_ratio('flows.own_txn_count_90d * peers.customer_count', 'peers.txn_count_90d') }}
        as txn_to_peers_rate_90d,
    {{ features_ratio('flows.outflow_amount_90d * peers.customer_count', 'peers.outflow_amount_90d') }}
        as outflow_to_peers_rate_90d,
    {{ features_ratio(
        '(activity.app_login_count_90d + activity.web_login_count_90d) * peers.customer_count', 'peers.login_count_90d'
    ) }} as login_to_peers_rate_90d,
    {{ features_ratio(
        'cast(measured.aum_amount_0d_ago as double precision) * cast(peers.aum_amount_90d_ago as double precision)',
        'cast(measured.aum_amount_90d_ago as double precision) * cast(peers.aum_amount_0d_ago as double precision)',
    ) }} as aum_to_peers_rate_90d,
    ---------- salary
    cast(coalesce(flows.salary_amount_90d, 0) as double precision) as salary_amount_90d,
    cast(coalesce(flows.days_since_salary, 180) as double precision) as days_since_salary,
    {{ features_ratio('flows.salary_amount_90d', 'flows.salary_amount_previous_90d') }} as salary_change_rate_90d,
    {{ features_ratio('flows.salary_amount_90d', '3 * profiles.monthly_income_amount') }} as salary_to_income_rate_90d,
    cast(flows.mean_salary_day_180d as double precision) as mean_salary_day_180d,
    ---------- postings by channel
    cast(coalesce(flows.own_txn_count_30d, 0) as double precision) as txn_count_30d,
    cast(coalesce(flows.own_txn_count_90d, 0) as double precision) as txn_count_90d,
    cast(coalesce(flows.days_since_txn, 180) as double precision) as days_since_txn,
    {{ features_ratio('flows.own_txn_count_90d', 'flows.own_txn_count_previous_90d') }} as txn_change_rate_90d,
    cast(coalesce(flows.counter_txn_count_90d, 0) as double precision) as counter_txn_count_90d,
    cast(coalesce(flows.mobile_txn_count_90d, 0) as double precision) as mobile_txn_count_90d,
    cast(coalesce(flows.pos_txn_count_90d, 0) as double precision) as pos_txn_count_90d,
    cast(coalesce(flows.wallet_txn_count_90d, 0) as double precision) as wallet_txn_count_90d,
    cast(coalesce(flows.own_txn_count_180d, 0) as double precision) as txn_count_180d,
    ---------- app, web and branch
    cast(coalesce(activity.app_login_count_30d, 0) as double precision) as app_login_count_30d,
    cast(coalesce(activity.app_login_count_90d, 0) as double precision) as app_login_count_90d,
    cast(coalesce(activity.web_login_count_90d, 0) as double precision) as web_login_count_90d,
    cast(coalesce(activity.product_view_count_90d, 0) as double precision) as product_view_count_90d,
    cast(coalesce(activity.application_count_90d, 0) as double precision) as application_count_90d,
    cast(coalesce(activity.help_count_90d, 0) as double precision) as help_count_90d,
    cast(coalesce(activity.close_account_view_count_30d, 0) as double precision) as close_account_view_count_30d,
    cast(coalesce(activity.close_account_view_count_90d, 0) as double precision) as close_account_view_count_90d,
    cast(coalesce(activity.mall_order_count_90d, 0) as double precision) as mall_order_count_90d,
    cast(coalesce(activity.visit_count_90d, 0) as double precision) as visit_count_90d,
    cast(coalesce(activity.account_visit_count_90d, 0) as double precision) as account_visit_count_90d,
    cast(coalesce(activity.wealth_visit_count_90d, 0) as double precision) as wealth_visit_count_90d,
    {{ features_ratio('activity.help_count_180d', 'activity.page_view_count_180d') }} as help_page_share_180d,
    {{ features_ratio('activity.transfer_view_count_180d', 'activity.page_view_count_180d') }}
        as transfer_page_share_180d,
    {{ features_ratio('activity.balance_view_count_180d', 'activity.page_view_count_180d') }}
        as balance_page_share_180d,
    {{ features_ratio('activity.product_view_count_180d', 'activity.page_view_count_180d') }}
        as product_page_share_180d,
    {{ features_ratio('activity.application_count_180d', 'activity.page_view_count_180d') }}
        as application_page_share_180d,
    {{ features_ratio('activity.close_account_view_count_180d', 'activity.page_view_count_180d') }}
        as close_account_page_share_180d,
    cast(coalesce(activity.app_login_count_180d + activity.web_login_count_180d, 0) as double precision)
        as login_count_180d,
    cast(coalesce(activity.visit_count_180d, 0) as double precision) as visit_count_180d,
    cast(coalesce(activity.mall_order_count_180d, 0) as double precision) as mall_order_count_180d,
    {{ features_ratio(
        'activity.app_login_count_90d + activity.web_login_count_90d',
        'activity.app_login_count_180d + activity.web_login_count_180d'
        ~ ' - activity.app_login_count_90d - activity.web_login_count_90d',
    ) }} as login_change_rate_90d,
    cast(coalesce(activity.days_since_online_login, 180) as double precision) as days_since_online_login,
    cast(coalesce(activity.days_since_visit, 180) as double precision) as days_since_visit,
    ---------- contacts, complaints, campaigns
    cast(coalesce(activity.contact_count_90d, 0) as double precision) as contact_count_90d,
    cast(coalesce(activity.retention_contact_count_90d, 0) as double precision) as retention_contact_count_90d,
    cast(coalesce(activity.days_since_contact, 180) as double precision) as days_since_contact,
    cast(coalesce(activity.complaint_count_180d, 0) as double precision) as complaint_count_180d,
    cast(coalesce(activity.complaint_visit_count_180d, 0) as double precision) as complaint_visit_count_180d,
    cast(coalesce(activity.touch_count_90d, 0) as double precision) as touch_count_90d,
    cast(coalesce(activity.response_count_90d, 0) as double precision) as response_count_90d,
    cast(coalesce(activity.response_count_180d, 0) as double precision) as response_count_180d,
    ---------- cards and loans
    cast(coalesce(obligations.credit_card_count, 0) as double precision) as credit_card_count,
    cast(coalesce(obligations.loan_count, 0) as double precision) as loan_count,
    {{ features_ratio('obligations.instalment_amount', 'profiles.monthly_income_amount') }} as instalment_burden_rate,
    cast(coalesce(obligations.days_past_due, 0) as double precision) as days_past_due,
    cast(coalesce(obligations.worst_days_past_due, 0) as double precision) as worst_days_past_due,
    cast(coalesce(obligations.performing_loan_count, 0) as double precision) as performing_loan_count,
    cast(coalesce(obligations.unpaid_instalment_count, 0) as double precision) as unpaid_instalment_count,
    cast(coalesce(obligations.worst_days_past_due_90d, 0) as double precision) as worst_days_past_due_90d,
    cast(obligations.days_since_arrears as double precision) as days_since_arrears,
    cast(coalesce(obligations.late_instalment_count, 0) as double precision) as late_instalment_count,
    {{ features_ratio('obligations.late_instalment_count', 'obligations.instalment_count') }} as late_instalment_rate,
    cast(obligations.remaining_term_months as double precision) as remaining_term_months,
    {{ features_ratio('3 * obligations.instalment_amount', 'flows.inflow_amount_90d') }}
        as instalment_to_inflow_rate_90d,
    {{ features_ratio('measured.deposit_amount_0d_ago', 'obligations.instalment_amount') }}
        as deposit_to_instalment_rate,
    {{ features_ratio('measured.lowest_deposit_amount_90d', 'obligations.instalment_amount') }}
        as lowest_deposit_to_instalment_rate_90d,
    cast(obligations.guarantor_days_past_due as double precision) as guarantor_days_past_due,
    {{ features_ratio('obligations.card_limit_amount', 'profiles.monthly_income_amount') }}
        as card_limit_to_income_rate,
    {{ features_ratio('obligations.card_drawn_amount', 'obligations.card_limit_amount') }} as card_utilisation_rate,
    ---------- how long the money lasts
    {{ features_ratio(chain_inflow, chain_outflow) }} as inflow_cover_rate_90d,
    {{ days_lasting('coalesce(measured.deposit_amount_0d_ago, 0)', chain_outflow) }} as reserve_days,
    {{ features_ratio('flows.inflow_amount_180d', 'flows.inflow_count_180d * profiles.monthly_income_amount') }}
        as mean_inflow_to_income_rate_180d,
    cast(coalesce(flows.fee_count_180d, 0) as double precision) as fee_count_180d,
    ---------- who they are
    cast(profiles.tenure_days as double precision) as tenure_days,
    cast(profiles.age_years as double precision) as age_years,
    cast(profiles.monthly_income_amount as double precision) as monthly_income_amount,
    cast(profiles.risk_rating_level as double precision) as risk_rating_level,
    cast(profiles.is_enterprise as double precision) as is_enterprise,
    cast(profiles.is_marketing_opt_out as double precision) as is_marketing_opt_out,
    cast(profiles.has_rm as double precision) as has_rm
from profiles
{%- for relation in ['measured', 'flows', 'activity', 'obligations', 'chain'] %}
left join {{ relation }}
    on profiles.as_of_date = {{ relation }}.as_of_date and profiles.customer_key = {{ relation }}.customer_key
{%- endfor %}
inner join divisions
    on profiles.as_of_date = divisions.as_of_date and profiles.customer_key = divisions.customer_key
inner join usual
    on profiles.as_of_date = usual.as_of_date and profiles.is_enterprise = usual.is_enterprise
inner join peers
    on profiles.as_of_date = peers.as_of_date
        and profiles.is_enterprise = peers.is_enterprise
        and coalesce(measured.star_tier, 1) = peers.star_tier
