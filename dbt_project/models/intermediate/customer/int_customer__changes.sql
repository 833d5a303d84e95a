{%- set last = date_literal(var('business_date')) %}
{%- set earliest = days_before(last, var('change_days') + 100) %}
{%- set earliest_pay = days_before(last, var('change_days') + 100 + 200) %}
{%- set lookback = days_before(last, var('change_days') + 100 + 366) %}
-- Grain: customer, kind, detail and date: what the rules of change find, by the limits of the customer's segment; those of assets are change-points. Rules read a
-- bounded past, so that a day costs the same however long the history is. The 100 days before those that are
-- shown tell whether a change is only the continuation of an earlier one.
with links as (

    select * from {{ ref('int_party__customers') }}

),

accounts as (

    select * from {{ ref('dim_account') }}

),

limits as (

    select * from {{ ref('int_customer__change_limits') }}

),

months as (

    select * from {{ ref('customer_360_monthly') }}
    where as_of_date > {{ lookback }}

),

---------- salary or pension no longer arrives

pay_days as (

    select
        customer_key,
        counterparty_class,
        business_date,
        amount,
        lag(business_date, 2) over by_day as third_last_date,
        lead(business_date) over by_day as next_date
    from {{ ref('fund_flow_daily') }}
    where business_date > {{ earliest_pay }}
        and business_date <= {{ last }}
        and direction = 'C'
        and counterparty_class in ('salary', 'pension')
    window by_day as (partition by customer_key, counterparty_class order by business_date)

),

pay_due as (

    select
        pay_days.*,
        limits.segment,
        limits.minimum_amount,
        -- the usual gap between two, a month at least, and some days of grace
        cast({{ dbt.dateadd(
            'day',
            "greatest(31, cast(round(" ~ days_between('pay_days.third_last_date', 'pay_days.business_date') ~ " / 2.0) as integer)) + limits.days",
            'pay_days.business_date',
        ) }} as date) as due_date
    from pay_days
    inner join limits on pay_days.customer_key = limits.customer_key and limits.change_kind = 'income_stopped'
    where {{ days_between('pay_days.third_last_date', 'pay_days.business_date') }} <= 80

),

---------- a kind of payment for the first time in a year

first_flows as (

    -- by accounts, and of the classes that are told: this is the longest look back
    select
        accounts.customer_key,
        flows.counterparty_class,
        flows.direction,
        min(case when flows.business_date > {{ earliest }} then flows.business_date end) as first_date,
        max(case when flows.business_date <= {{ earliest }} then flows.business_date end) as earlier_date
    from {{ ref('account_flow_daily') }} as flows
    inner join {{ ref('change_phrases') }} as phrases
        on phrases.change_kind = 'new_counterparty_type'
            and flows.counterparty_class || ':' || flows.direction = phrases.change_detail
    inner join accounts on flows.account_no = accounts.account_no
    where flows.business_date > {{ lookback }}
        and flows.business_date <= {{ last }}
        and flows.txn_count > 0
    group by accounts.customer_key, flows.counterparty_class, flows.direction

),

known as (

    select
        customer_key,
        min(as_of_date) as known_date
    from months
    group by customer_key

),

new_flows as (

    select
        first_flows.customer_key,
        first_flows.counterparty_class,
        first_flows.direction,
        first_flows.first_date,
        limits.segment,
        sum(flows.amount) as amount
    from first_flows
    inner join known on first_flows.customer_key = known.customer_key
    inner join limits on first_flows.customer_key = limits.customer_key and limits.change_kind = 'new_counterparty_type'
    inner join accounts on first_flows.customer_key = accounts.customer_key
    inner join {{ ref('account_flow_daily') }} as flows
        on accounts.account_no = flows.account_no
            and first_flows.counterparty_class = flows.counterparty_class
            and first_flows.direction = flows.direction
            and first_flows.first_date = flows.business_date
    where {{ days_between('known.known_date', 'first_flows.first_date') }} >= limits.days
        and (
            first_flows.earlier_date is null
            or {{ days_between('first_flows.earlier_date', 'first_flows.first_date') }} > 365
        )
    group by
        first_flows.customer_key,
        first_flows.counterparty_class,
        first_flows.direction,
        first_flows.first_date,
        limits.segment,
        limits.minimum_amount
    having sum(flows.amount) >= limits.minimum_amount

),

---------- log-ins, by whole months

logins as (

    select
        links.customer_key,
        cast({{ dbt.last_day('events.business_date', 'month') }} as date) as as_of_date,
        count(*) as login_count
    from {{ ref('fct_online_events') }} as events
    inner join links on events.party_key = links.party_key
    where events.event_name = 'login'
        and events.business_date > {{ days_before(last, var('change_days') + 100 + 124) }}
        and events.business_date <= {{ last }}
    group by links.customer_key, cast({{ dbt.last_day('events.business_date', 'month') }} as date)

),

login_months as (

    select
        now.customer_key,
        now.as_of_date,
        sum(case when logins.as_of_date = now.as_of_date then logins.login_count else 0 end) as login_count,
        sum(case when logins.as_of_date < now.as_of_date then logins.login_count else 0 end) as earlier_count,
        count(case when logins.as_of_date < now.as_of_date then 1 end) as earlier_months
    from months as now
    inner join logins
        on now.customer_key = logins.customer_key
            and logins.as_of_date <= now.as_of_date
            and logins.as_of_date > {{ days_before('now.as_of_date', 95) }}
    where now.as_of_date > {{ earliest }}
    group by now.customer_key, now.as_of_date

),

---------- a visit after a year in which the app was enough

visits as (

    select
        links.customer_key,
        min(visits.business_date) as visit_date
    from {{ ref('fct_branch_visits') }} as visits
    inner join links on visits.party_key = links.party_key
    where visits.business_date > {{ earliest }} and visits.business_date <= {{ last }}
    group by links.customer_key, date_trunc('month', visits.business_date)

),

visits_after_app as (

    select
        visits.customer_key,
        visits.visit_date,
        limits.segment,
        sum(months.app_count + months.web_count) as online_count
    from visits
    inner join limits on visits.customer_key = limits.customer_key and limits.change_kind = 'branch_after_app'
    inner join months
        on visits.customer_key = months.customer_key
            and months.as_of_date < cast(date_trunc('month', visits.visit_date) as date)
            and {{ days_between('months.as_of_date', 'visits.visit_date') }} <= limits.days
    group by visits.customer_key, visits.visit_date, limits.segment, limits.days, limits.minimum_count
    having sum(months.branch_count) = 0
        and sum(case when months.app_count + months.web_count > 0 then 1 else 0 end) >= limits.minimum_count
        and 31 * (count(*) + 1) >= limits.days

),

---------- deposits and investments that come free

due_accounts as (

    select
        states.*,
        lead(business_date) over (partition by account_no order by business_date) as valid_to
    from {{ ref('int_account__states') }} as states

),

maturing_accounts as (

    select
        links.customer_key,
        due_accounts.account_no,
        due_accounts.maturity_date,
        cast({{ dbt.dateadd('day', '-limits.days', 'due_accounts.maturity_date') }} as date) as change_date
    from due_accounts
    inner join links on due_accounts.party_key = links.party_key
    inner join limits on links.customer_key = limits.customer_key and limits.change_kind = 'maturity_near'
    where due_accounts.maturity_date > {{ earliest }}
        and due_accounts.status <> 'closed'
        and due_accounts.business_date <= {{ dbt.dateadd('day', '-limits.days', 'due_accounts.maturity_date') }}
        and (due_accounts.valid_to is null or due_accounts.valid_to > {{ dbt.dateadd('day', '-limits.days', 'due_accounts.maturity_date') }})

),

account_balances as (

    select
        maturing_accounts.customer_key,
        maturing_accounts.maturity_date,
        maturing_accounts.change_date,
        balances.balance_amount as amount,
        row_number() over (
            partition by maturing_accounts.account_no, maturing_accounts.maturity_date order by balances.business_date desc
        ) as recency
    from maturing_accounts
    inner join {{ ref('fct_balances_daily') }} as balances
        on maturing_accounts.account_no = balances.account_no and balances.business_date <= maturing_accounts.change_date

),

holding_values as (

    select
        links.customer_key,
        holdings.maturity_date,
        cast({{ dbt.dateadd('day', '-limits.days', 'holdings.maturity_date') }} as date) as change_date,
        holdings.market_value_amount as amount,
        row_number() over (
            partition by holdings.holding_id, holdings.maturity_date order by holdings.business_date desc
        ) as recency
    from {{ ref('fct_holdings_daily') }} as holdings
    inner join links on holdings.party_key = links.party_key
    inner join limits on links.customer_key = limits.customer_key and limits.change_kind = 'maturity_near'
    where holdings.maturity_date > {{ earliest }}
        and holdings.business_date <= {{ dbt.dateadd('day', '-limits.days', 'holdings.maturity_date') }}

),

maturities as (

    select customer_key, maturity_date, change_date, amount
    from account_balances
    where recency = 1

    union all

    select customer_key, maturity_date, change_date, amount
    from holding_values
    where recency = 1

),

---------- records: that a phone or address is another one, never which

records as (

    {{ last_known(ref('stg_branch__customers'), ['party_key', 'business_date']) }}

),

record_changes as (

    select
        party_key,
        business_date,
        phone_token,
        address,
        lag(phone_token) over by_day as previous_phone_token,
        lag(address) over by_day as previous_address
    from records
    window by_day as (partition by party_key order by business_date)

),

---------- wallets and complaints

wallets as (

    select
        binding_id,
        account_no,
        provider,
        min(valid_from) as bound_date
    from {{ ref('int_account__wallets') }}
    group by binding_id, account_no, provider

),

complaints as (

    select
        links.customer_key,
        contacts.business_date,
        lag(contacts.business_date) over (partition by links.customer_key order by contacts.business_date, contacts.contact_id)
            as previous_date
    from {{ ref('fct_contacts') }} as contacts
    inner join links on contacts.party_key = links.party_key
    where contacts.contact_kind = 'complaint'
        and contacts.business_date > {{ lookback }}
        and contacts.business_date <= {{ last }}

),

found as (

    select
        customer_key,
        'income_stopped' as change_kind,
        counterparty_class as change_detail,
        due_date as change_date,
        segment,
        amount,
        cast(null as decimal(38,2)) as previous_amount,
        cast(null as integer) as change_count,
        cast(null as integer) as previous_count,
        business_date as event_date
    from pay_due
    where (next_date is null or next_date > due_date)
        and amount >= minimum_amount

    union all

    select
        customer_key,
        'new_counterparty_type',
        counterparty_class || ':' || direction,
        first_date,
        segment,
        amount,
        null,
        null,
        null,
        first_date
    from new_flows

    union all

    select
        login_months.customer_key,
        'logins_fell',
        'month',
        login_months.as_of_date,
        limits.segment,
        null,
        null,
        cast(login_months.login_count as integer),
        cast(round(login_months.earlier_count / 3.0) as integer),
        login_months.as_of_date
    from login_months
    inner join limits on login_months.customer_key = limits.customer_key and limits.change_kind = 'logins_fell'
    where login_months.earlier_months = 3
        and login_months.earlier_count >= 3 * limits.minimum_count
        and 3 * login_months.login_count <= (1 - limits.minimum_rate) * login_months.earlier_count

    union all

    select
        customer_key,
        'branch_after_app',
        'visit',
        visit_date,
        segment,
        null,
        null,
        null,
        cast(online_count as integer),
        visit_date
    from visits_after_app

    union all

    select
        maturities.customer_key,
        'maturity_near',
        'maturity',
        maturities.change_date,
        limits.segment,
        sum(maturities.amount),
        null,
        cast(count(*) as integer),
        null,
        maturities.maturity_date
    from maturities
    inner join limits on maturities.customer_key = limits.customer_key and limits.change_kind = 'maturity_near'
    group by
        maturities.customer_key,
        maturities.change_date,
        maturities.maturity_date,
        limits.segment,
        limits.minimum_amount
    having sum(maturities.amount) >= limits.minimum_amount

    union all

    select
        accounts.customer_key,
        'wallet_bound',
        wallets.provider,
        wallets.bound_date,
        limits.segment,
        null,
        null,
        cast(count(*) as integer),
        null,
        wallets.bound_date
    from wallets
    inner join accounts on wallets.account_no = accounts.account_no
    inner join limits on accounts.customer_key = limits.customer_key and limits.change_kind = 'wallet_bound'
    where {{ days_between('limits.first_opened_date', 'wallets.bound_date') }} >= limits.days
    group by accounts.customer_key, wallets.provider, wallets.bound_date, limits.segment

    union all

    select
        complaints.customer_key,
        'first_complaint',
        'complaint',
        complaints.business_date,
        limits.segment,
        null,
        null,
        null,
        null,
        complaints.business_date
    from complaints
    inner join limits on complaints.customer_key = limits.customer_key and limits.change_kind = 'first_complaint'
    where complaints.previous_date is null
        or {{ days_between('complaints.previous_date', 'complaints.business_date') }} > limits.days

    {% for kind, column in [('phone_changed', 'phone_token'), ('address_changed', 'address')] -%}
    union all

    select distinct
        links.customer_key,
        '{{ kind }}',
        'record',
        record_changes.business_date,
        limits.segment,
        cast(null as decimal(38,2)),
        cast(null as decimal(38,2)),
        cast(null as integer),
        cast(null as integer),
        record_changes.business_date
    from record_changes
    inner join links on record_changes.party_key = links.party_key
    inner join limits on links.customer_key = limits.customer_key and limits.change_kind = '{{ kind }}'
    where record_changes.{{ column }} <> record_changes.previous_{{ column }}

    {% endfor -%}
)

select
    cast(customer_key as varchar) as customer_key,
    cast(change_kind as varchar) as change_kind,
    cast(change_detail as varchar) as change_detail,
    change_date,
    cast(segment as varchar) as segment,
    cast(amount as decimal(38,2)) as amount,
    cast(previous_amount as decimal(38,2)) as previous_amount,
    change_count,
    previous_count,
    event_date
from found
where change_date > {{ earliest }}
    and change_date <= {{ last }}
