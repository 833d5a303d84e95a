{{ config(schema='build_intermediate', contract={'enforced': false}) }}

{% set dates = ref('int_features__as_of_dates') %}

with identity as (
    select * from {{ ref('int_features__identity_known') }}
),

accounts as (
    select * from {{ ref('int_features__accounts_known') }}
),

balances as (
    select * from {{ ref('int_features__balances_known') }}
),

holdings as (
    select
        holdings.as_of_date,
        identity.customer_key,
        holdings.product_code,
        holdings.maturity_date,
        holdings.amount_0d_ago as amount
    from {{ ref('int_features__holdings_known') }} as holdings
    inner join identity
        on holdings.as_of_date = identity.as_of_date and holdings.party_key = identity.party_key
),

cards as (
{{ features_state(ref('stg_branch__cards_versions'), 'card_id', dates, 'as_of_date') }}
),

loans as (
{{ features_state(ref('stg_branch__loans_versions'), 'loan_no', dates, 'as_of_date') }}
),

repayments as (
{{ features_state(ref('stg_branch__loan_repayments_versions'), 'repayment_id', dates, 'as_of_date') }}
),

bindings as (
{{ features_state(ref('stg_online__wallet_bindings_versions'), 'binding_id', dates, 'as_of_date') }}
),

customers as (
    select as_of_date, customer_key
    from identity
    group by as_of_date, customer_key
),

-- a card's account that is overdrawn stands for what is drawn on the card: no feed tells it
card_accounts as (
    select
        identity.as_of_date,
        identity.customer_key,
        cards.account_no,
        count(*) as credit_card_count,
        sum(cards.credit_limit) as limit_amount,
        max(greatest(-balances.amount_0d_ago, 0)) as drawn_amount
    from cards
    inner join identity on cards.state_date = identity.as_of_date and cards.party_key = identity.party_key
    left join balances on cards.state_date = balances.as_of_date and cards.account_no = balances.position_key
    where cards.status = 'active' and cards.card_type = 'credit'
    group by identity.as_of_date, identity.customer_key, cards.account_no
),

cards_held as (
    select
        as_of_date,
        customer_key,
        sum(credit_card_count) as credit_card_count,
        sum(limit_amount) as card_limit_amount,
        sum(drawn_amount) as card_drawn_amount
    from card_accounts
    group by as_of_date, customer_key
),

instalments as (
    select
        repayments.*,
        repayments.paid_amount < repayments.due_amount and loans.status <> 'repaid' as is_unpaid
    from repayments
    inner join loans on repayments.state_date = loans.state_date and repayments.loan_no = loans.loan_no
),

-- by the calendar: the age that the bank last reported stands still between its reports
aged_instalments as (
    select
        state_date,
        loan_no,
        is_unpaid,
        {{ days_between('business_date', 'state_date') }} as days_since_state,
        greatest(days_past_due, {{ days_between('due_date', 'case when is_unpaid then state_date else paid_date end') }}) as days_late
    from instalments
),

repayments_by_loan as (
    select
        state_date,
        loan_no,
        count(*) as instalment_count,
        count(*) filter (where days_late > 0) as late_instalment_count,
        count(*) filter (where is_unpaid) as unpaid_instalment_count,
        max(days_late) filter (where is_unpaid) as days_past_due,
        max(days_late) as worst_days_past_due,
        max(days_late) filter (where is_unpaid or days_since_state < 90) as worst_days_past_due_90d,
        min(case when is_unpaid then 0 else days_since_state end) filter (where days_late >= 30) as days_since_arrears
    from aged_instalments
    group by state_date, loan_no
),

loan_states as (
    select
        identity.as_of_date,
        identity.customer_key,
        loans.status,
        loans.status in ('running', 'in_arrears') as is_owed,
        loans.instalment,
        loans.term_months - {{ months_between('loans.granted_date', 'loans.state_date') }} as remaining_term_months,
        guarantors.customer_key as guarantor_key,
        repayments_by_loan.*
    from loans
    inner join identity on loans.state_date = identity.as_of_date and loans.party_key = identity.party_key
    left join identity as guarantors
        on loans.state_date = guarantors.as_of_date and 'cif:' || loans.guarantor_customer_no = guarantors.party_key
    left join repayments_by_loan
        on loans.state_date = repayments_by_loan.state_date and loans.loan_no = repayments_by_loan.loan_no
),

loans_owed as (
    select
        as_of_date,
        customer_key,
        count(*) filter (where is_owed) as loan_count,
        count(*) filter (where status = 'running') as running_loan_count,
        sum(instalment) filter (where is_owed) as instalment_amount,
        max(remaining_term_months) filter (where is_owed) as remaining_term_months,
        max(days_past_due) filter (where is_owed) as days_past_due,
        max(worst_days_past_due) as worst_days_past_due,
        max(worst_days_past_due_90d) as worst_days_past_due_90d,
        min(days_since_arrears) as days_since_arrears,
        sum(instalment_count) as instalment_count,
        sum(late_instalment_count) as late_instalment_count,
        sum(unpaid_instalment_count) filter (where is_owed) as unpaid_instalment_count
    from loan_states
    group by as_of_date, customer_key
),

guarantors as (
    select
        loan_states.as_of_date,
        loan_states.customer_key,
        max(coalesce(loans_owed.days_past_due, 0)) as guarantor_days_past_due
    from loan_states
    left join loans_owed
        on loan_states.as_of_date = loans_owed.as_of_date and loan_states.guarantor_key = loans_owed.customer_key
    where loan_states.is_owed and loan_states.guarantor_key is not null
    group by loan_states.as_of_date, loan_states.customer_key
),

maturing_positions as (
    select accounts.as_of_date, accounts.customer_key, accounts.maturity_date, balances.amount_0d_ago as amount
    from accounts
    inner join balances
        on accounts.as_of_date = balances.as_of_date and accounts.account_no = balances.position_key
    where accounts.is_open
    union all
    select as_of_date, customer_key, maturity_date, amount
    from holdings
),

maturities as (
    select
        as_of_date,
        customer_key,
        sum(amount) filter (where {{ days_between('as_of_date', 'maturity_date') }} <= 30) as maturing_amount_30d,
        sum(amount) as maturing_amount_90d
    from maturing_positions
    where maturity_date > as_of_date and {{ days_between('as_of_date', 'maturity_date') }} <= 90
    group by as_of_date, customer_key
),

holdings_held as (
    select
        as_of_date,
        customer_key,
        count(distinct product_code) as investment_product_count
    from holdings
    where amount > 0
    group by as_of_date, customer_key
),

wallets_bound as (
    select
        accounts.as_of_date,
        accounts.customer_key,
        count(*) as wallet_count
    from bindings
    inner join accounts on bindings.state_date = accounts.as_of_date and bindings.account_no = accounts.account_no
    where bindings.unbound_at is null and accounts.is_open
    group by accounts.as_of_date, accounts.customer_key
)

select
    customers.as_of_date,
    customers.customer_key,
    cast(coalesce(cards_held.credit_card_count, 0) as bigint) as credit_card_count,
    cast(coalesce(loans_owed.loan_count, 0) as bigint) as loan_count,
    cast(coalesce(loans_owed.instalment_amount, 0) as decimal(38,2)) as instalment_amount,
    coalesce(loans_owed.days_past_due, 0) as days_past_due,
    coalesce(loans_owed.worst_days_past_due, 0) as worst_days_past_due,
    cast(
        case when loans_owed.days_past_due >= 30 then 0 else coalesce(loans_owed.running_loan_count, 0) end as bigint
    ) as performing_loan_count,
    cast(coalesce(loans_owed.unpaid_instalment_count, 0) as bigint) as unpaid_instalment_count,
    coalesce(loans_owed.worst_days_past_due_90d, 0) as worst_days_past_due_90d,
    loans_owed.days_since_arrears,
    cast(coalesce(loans_owed.instalment_count, 0) as bigint) as instalment_count,
    cast(coalesce(loans_owed.late_instalment_count, 0) as bigint) as late_instalment_count,
    loans_owed.remaining_term_months,
    guarantors.guarantor_days_past_due,
    cast(coalesce(cards_held.card_limit_amount, 0) as decimal(38,2)) as card_limit_amount,
    cast(coalesce(cards_held.card_drawn_amount, 0) as decimal(38,2)) as card_drawn_amount,
    cast(coalesce(maturities.maturing_amount_30d, 0) as decimal(38,2)) as maturing_amount_30d,
    cast(coalesce(maturities.maturing_amount_90d, 0) as decimal(38,2)) as maturing_amount_90d,
    cast(coalesce(holdings_held.investment_product_count, 0) as bigint) as investment_product_count,
    cast(coalesce(wallets_bound.wallet_count, 0) as bigint) as wallet_count
from customers
{%- for relation in ['cards_held', 'loans_owed', 'guarantors', 'maturities', 'holdings_held', 'wallets_bound'] %}
left join {{ relation }}
    on customers.as_of_date = {{ relation }}.as_of_date and customers.customer_key = {{ relation }}.customer_key
{%- endfor %}
