-- One row per loan, as known on the day before the grant. What has no date (who else may use the account, standing orders)
-- is left out: nobody can say that it was known.
with history as (
    select
        loan.loan_id,
        loan.date - trans.date as days_before,
        trans.*,
        row_number() over (partition by loan.loan_id order by trans.date desc, booking.position desc) as place,
        case when trans.direction = 'C' then trans.amount else -trans.amount end as signed_amount
    from loan
    join trans on trans.account_id = loan.account_id and trans.date < loan.date
    join booking using (trans_id)
),

-- The balance at the end of each day with postings, and for how many days it stood.
day_ends as (
    select
        loan_id,
        days_before,
        balance,
        days_before - coalesce(lead(days_before) over (partition by loan_id order by days_before desc), 0) as days
    from history
    qualify row_number() over (partition by loan_id, days_before order by place) = 1
),

balances as (
    select
        loan_id,
        sum(balance * days) / sum(days) as average_balance_amount,
        sum(balance * days) filter (where days_before <= 90) / nullif(sum(days) filter (where days_before <= 90), 0)
            as average_balance_amount_90d,
        stddev_pop(balance) as balance_deviation_amount,
        min(balance) filter (where days_before <= 90) as lowest_day_end_amount_90d
    from day_ends
    group by loan_id
),

activity as (
    select
        loan_id,
        count(*) as txn_count,
        max(days_before) as history_days,
        min(balance) as lowest_balance_amount,
        min(balance) filter (where days_before > 30) as lowest_balance_amount_after_opening,
        min(balance) filter (where days_before <= 180) as lowest_balance_amount_180d,
        max(balance) as highest_balance_amount,
        max(balance) filter (where place = 1) as last_balance_amount,
        avg(balance) as mean_posting_balance_amount,
        count(*) filter (where balance < 0) as overdrawn_posting_count,
        count(*) filter (where purpose = 'penalty interest') as penalty_count,
        sum(amount) filter (where direction = 'C') as inflow_amount,
        sum(amount) filter (where direction = 'D') as outflow_amount,
        sum(amount) filter (where direction = 'C' and days_before <= 90) as inflow_amount_90d,
        sum(amount) filter (where direction = 'D' and days_before <= 90) as outflow_amount_90d,
        sum(amount) filter (where operation = 'cash_in') as cash_in_amount,
        sum(amount) filter (where operation = 'cash_out' and purpose is null) as cash_out_amount,
        sum(amount) filter (where operation = 'transfer_in') as transfer_in_amount,
        sum(amount) filter (where purpose = 'household') as household_amount,
        sum(amount) filter (where purpose = 'interest') as interest_amount,
        count(*) filter (where purpose = 'pension') as pension_count,
        count(*) filter (where purpose = 'insurance') as insurance_count,
        count(*) filter (where operation = 'card_cash_out') as card_cash_count,
        max(amount) filter (where direction = 'C') as largest_inflow_amount,
        max(amount) filter (where direction = 'D') as largest_outflow_amount,
        avg(amount) filter (where direction = 'D') as mean_outflow_amount
    from history
    group by loan_id
),

owners as (
    select
        disp.account_id,
        client.gender,
        client.birth_date,
        client.district_id
    from disp
    join client using (client_id)
    where disp.role = 'owner'
),

cards as (
    select
        disp.account_id,
        card.issued
    from card
    join disp using (disp_id)
)

select
    loan.loan_id,
    loan.date as granted_date,
    case when loan.status in ('finished_unpaid', 'running_in_debt') then 1 else 0 end as is_bad,
    ---------- the loan
    loan.amount as loan_amount,
    loan.duration as term_months,
    loan.payments as instalment_amount,
    ---------- the owner
    owners.gender,
    (loan.date - owners.birth_date) / 365.25 as age_years,
    loan.date - account.date as account_days,
    account.frequency as statement_frequency,
    (select count(*) from cards where cards.account_id = loan.account_id and cards.issued < loan.date) as card_count,
    district.region,
    district.average_salary,
    district.unemployment_percent,
    ---------- the account before the grant
    activity.* exclude (loan_id),
    balances.* exclude (loan_id),
    30 * activity.txn_count / activity.history_days as txn_count_per_month,
    30 * activity.inflow_amount / activity.history_days as inflow_amount_per_month,
    30 * activity.household_amount / activity.history_days as household_amount_per_month,
    activity.outflow_amount / activity.inflow_amount as outflow_rate,
    activity.cash_in_amount / activity.inflow_amount as cash_in_rate,
    ---------- the loan beside the account
    loan.payments * activity.history_days / (30 * activity.inflow_amount) as instalment_burden_rate,
    loan.payments / nullif(balances.average_balance_amount, 0) as instalment_to_balance_rate,
    loan.amount / nullif(balances.average_balance_amount, 0) as loan_to_balance_rate
from loan
join account using (account_id)
join owners using (account_id)
join district on district.district_id = owners.district_id
left join activity using (loan_id)
left join balances using (loan_id)
order by loan.loan_id
