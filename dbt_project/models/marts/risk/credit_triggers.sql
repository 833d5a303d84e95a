-- noqa: disable=LT02
{%- set today = date_literal(var('business_date')) %}

with loans as (

    select * from {{ ref('int_loan__debts') }}

),

borrowers as (

    select
        customer_key,
        sum(instalment_amount) as instalment_amount,
        cast({{ dbt.dateadd('month', 1, 'max(last_due_date)') }} as date) as next_due_date
    from loans
    group by customer_key
    having count(case when status = 'running' then 1 end) > 0

),

unpaid as (

    select
        customer_key,
        min(unpaid_since_date) as unpaid_since_date,
        sum(unpaid_amount) as unpaid_amount,
        {{ days_between('min(unpaid_since_date)', today) }} as unpaid_days
    from loans
    where unpaid_since_date is not null
    group by customer_key

),

runways as (

    select * from {{ ref('fund_chain_runway') }}

),

-- of everybody: guarantors and payers need no loan of their own
distressed as (

    select
        customer_key,
        'overdue' as trigger_detail,
        unpaid_since_date as trigger_date,
        unpaid_days as figure,
        unpaid_amount as amount,
        cast(null as varchar) as related_key
    from unpaid
    where unpaid_days >= {{ limit('credit_thresholds', 'overdue_days') }}

    union all

    select
        customer_key,
        'inflow_broken' as trigger_detail,
        broken_last_date as trigger_date,
        100 * {{ share_of('broken_inflow_amount', 'usual_inflow_amount') }} as figure,
        broken_inflow_amount as amount,
        broken_payer_key as related_key
    from runways
    where chain_state = 'inflow broken'

    union all

    select
        lost_key as customer_key,
        'left' as trigger_detail,
        max(lost_last_activity_date) as trigger_date,
        null as figure,
        null as amount,
        null as related_key
    from {{ ref('fund_chain_losses') }}
    where lost_role = 'payer'
    group by lost_key

),

drawn as (

    select * from {{ ref('int_loan__card_drawings') }}

),

pay as (

    select * from {{ ref('int_money__incomes') }}

),

found as (

    select
        unpaid.customer_key,
        case
            when unpaid_days >= {{ limit('credit_thresholds', 'overdue_days') }} then 'instalment_overdue'
            else 'instalment_missed'
        end as credit_trigger,
        '' as trigger_detail,
        unpaid_since_date as trigger_date,
        unpaid_days as figure,
        unpaid_amount as amount,
        cast(null as varchar) as related_key
    from unpaid
    where unpaid_days >= {{ limit('credit_thresholds', 'missed_days') }}

    union all

    select
        borrowers.customer_key,
        'instalment_short' as credit_trigger,
        '' as trigger_detail,
        borrowers.next_due_date as trigger_date,
        {{ days_between(today, 'borrowers.next_due_date') }} as figure,
        borrowers.instalment_amount - greatest(runways.deposit_amount, 0) as amount,
        null as related_key
    from borrowers
    inner join runways on borrowers.customer_key = runways.customer_key
    where runways.deposit_amount < borrowers.instalment_amount
        and {{ days_between(today, 'borrowers.next_due_date') }}
            between 1 and {{ limit('credit_thresholds', 'short_days') }}

    union all

    select
        customer_key,
        'utilisation_jump' as credit_trigger,
        '' as trigger_detail,
        last_date as trigger_date,
        100 * {{ share_of('drawn_amount', 'limit_amount') }} as figure,
        drawn_amount as amount,
        null as related_key
    from drawn
    where limit_amount > 0
        and drawn_amount >= {{ limit('credit_thresholds', 'utilisation_rate') }} * limit_amount
        and drawn_amount - earlier_amount >= {{ limit('credit_thresholds', 'utilisation_rise') }} * limit_amount

    union all

    select
        customer_key,
        'salary_stopped' as credit_trigger,
        '' as trigger_detail,
        last_date as trigger_date,
        {{ days_between('last_date', today) }} as figure,
        {{ average_amount('amount', 'month_count') }} as amount,
        null as related_key
    from pay
    where month_count >= {{ limit('credit_thresholds', 'salary_months') }}
        and {{ days_between('last_date', today) }} >= {{ limit('credit_thresholds', 'salary_stop_days') }}

    union all

    select
        customer_key,
        'inflow_broken' as credit_trigger,
        '' as trigger_detail,
        trigger_date,
        figure,
        amount,
        related_key
    from distressed
    where trigger_detail = 'inflow_broken'

    union all

    select
        loans.customer_key,
        'guarantor_in_trouble' as credit_trigger,
        distressed.trigger_detail,
        distressed.trigger_date,
        distressed.figure,
        distressed.amount,
        distressed.customer_key as related_key
    from loans
    inner join distressed on loans.guarantor_key = distressed.customer_key and loans.guarantor_key <> loans.customer_key
    where loans.status = 'running'

    union all

    select
        runways.customer_key,
        'main_payer_in_trouble' as credit_trigger,
        distressed.trigger_detail,
        distressed.trigger_date,
        distressed.figure,
        distressed.amount,
        distressed.customer_key as related_key
    from runways
    inner join distressed on runways.main_payer_key = distressed.customer_key
    where runways.main_payer_share >= {{ limit('credit_thresholds', 'main_payer_share') }}

),

-- one of a kind: of several loans with the same guarantor, or several troubles of one payer, the latest
placed as (

    select
        found.*,
        row_number() over (
            partition by found.customer_key, found.credit_trigger
            order by found.trigger_date desc, found.trigger_detail, found.related_key
        ) as place
    from found
    inner join borrowers on found.customer_key = borrowers.customer_key

),

phrases as (

    select * from {{ ref('credit_trigger_phrases') }}

)

select
    placed.customer_key,
    cast(placed.credit_trigger as varchar) as credit_trigger,
    cast(placed.trigger_detail as varchar) as trigger_detail,
    {{ today }} as as_of_date,
    placed.trigger_date,
    cast(placed.figure as double precision) as figure,
    cast(placed.amount as decimal(38, 2)) as amount,
    cast(placed.related_key as varchar) as related_key,
    phrases.band,
    {%- for language in ['en', 'zh'] %}
    {%- set sentence = namespace(sql='phrases.phrase_' ~ language) -%}
    {%- for name, value in [
        ('{amount}', thousands('placed.amount')),
        ('{figure}', 'cast(cast(floor(placed.figure + 0.5) as bigint) as varchar)'),
        ('{date}', 'cast(placed.trigger_date as varchar)'),
        ('{currency}', "'" ~ var('currency') ~ "'"),
    ] -%}
    {%- set sentence.sql = "replace(" ~ sentence.sql ~ ", '" ~ name ~ "', coalesce(" ~ value ~ ", ''))" -%}
    {%- endfor %}
    cast({{ sentence.sql }} as varchar) as sentence_{{ language }}{{ ',' if not loop.last }}
    {%- endfor %}
from placed
inner join phrases
    on placed.credit_trigger = phrases.credit_trigger and placed.trigger_detail like phrases.trigger_detail
where placed.place = 1
