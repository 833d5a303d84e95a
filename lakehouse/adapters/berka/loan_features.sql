-- One row per loan, as known on the day before the grant. Who else may use the account is not dated, so nobody can say
-- that it was known: the task file leaves it out. Standing orders are not dated either, and hold the instalments of the
-- loan.
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

-- Thirty days at a time, counted back from the grant.
months as (
    select
        loan_id,
        cast(floor(days_before / 30) as integer) as month,
        min(balance) as lowest_amount,
        max(balance) as highest_amount,
        avg(balance) as mean_amount,
        coalesce(sum(amount) filter (where direction = 'C' and purpose is null), 0) as income_amount,
        sum(amount) filter (where direction = 'D') as outflow_amount,
        coalesce(sum(amount) filter (where operation = 'transfer_out'), 0) as transfer_out_amount,
        coalesce(sum(amount) filter (where purpose = 'household'), 0) as household_amount,
        max(amount) filter (where direction = 'C') as largest_inflow_amount,
        max(amount) filter (where operation = 'cash_out') as largest_cash_out_amount,
        count(*) filter (where direction = 'C' and purpose is null) as income_count,
        count(*) filter (where operation = 'cash_out' and purpose is null) as cash_out_count
    from history
    group by loan_id, month
),

monthly as (
    select
        loan_id,
        avg(lowest_amount) as monthly_lowest_amount,
        quantile_cont(lowest_amount, 0.25) as monthly_lowest_amount_low_quartile,
        stddev_pop(lowest_amount) as monthly_lowest_amount_deviation,
        min(lowest_amount) filter (where month between 1 and 5) as lowest_amount_1_to_5_months,
        min(lowest_amount) filter (where month <= 11) / nullif(avg(mean_amount), 0) as lowest_to_mean_rate_12_months,
        avg(lowest_amount) / nullif(avg(mean_amount), 0) as monthly_lowest_to_mean_rate,
        avg(highest_amount - lowest_amount) as monthly_range_amount,
        nullif(regr_slope(mean_amount, -month), 'nan') as balance_trend_amount,
        nullif(regr_slope(lowest_amount, -month), 'nan') as lowest_trend_amount,
        avg(case when lowest_amount < 0 then 1.0 else 0 end) as overdrawn_month_share,
        avg(case when lowest_amount < 1000 then 1.0 else 0 end) as nearly_empty_month_share,
        avg(income_amount) as monthly_income_amount,
        median(income_amount) as median_income_amount,
        stddev_pop(income_amount) / nullif(avg(income_amount), 0) as income_variation,
        avg(income_count) as monthly_income_count,
        avg(outflow_amount) as monthly_outflow_amount,
        stddev_pop(outflow_amount) / nullif(avg(outflow_amount), 0) as outflow_variation,
        avg(transfer_out_amount) as monthly_transfer_out_amount,
        stddev_pop(transfer_out_amount) as transfer_out_deviation_amount,
        avg(transfer_out_amount) / nullif(avg(income_amount), 0) as transfer_out_rate,
        avg(household_amount) as monthly_household_amount,
        max(household_amount) as highest_household_amount,
        avg(household_amount) / nullif(avg(income_amount), 0) as household_rate,
        median(largest_inflow_amount) as monthly_largest_inflow_amount,
        median(largest_cash_out_amount) as monthly_largest_cash_out_amount,
        avg(cash_out_count) as monthly_cash_out_count
    from months
    group by loan_id
),

activity as (
    select
        loan_id,
        count(*) as txn_count,
        max(days_before) as history_days,
        max(balance) filter (where place = 1) as last_balance_amount,
        min(balance) filter (where days_before <= 180) as lowest_balance_amount_180d,
        quantile_cont(balance, 0.1) filter (where days_before <= 180) as low_balance_amount_180d,
        stddev_pop(balance) filter (where days_before <= 180)
            / nullif(avg(balance) filter (where days_before <= 180), 0)
            as balance_variation_180d,
        count(*) filter (where balance < 0) as overdrawn_posting_count,
        count(*) filter (where purpose = 'penalty interest') as penalty_count,
        min(days_before) filter (where balance < 0) as days_since_overdrawn,
        min(days_before) filter (where purpose = 'penalty interest') as days_since_penalty,
        min(days_before) filter (where operation = 'transfer_out') as days_since_transfer_out,
        min(days_before) filter (where purpose = 'household') as days_since_household,
        coalesce(sum(amount) filter (where operation = 'transfer_out' and days_before <= 60), 0)
            as transfer_out_amount_60d,
        avg(amount) filter (where purpose = 'household') as household_payment_amount,
        count(distinct account) filter (where operation = 'transfer_out') as payee_count,
        count(*) filter (where operation = 'transfer_in') as transfer_in_count,
        count(*) filter (where purpose = 'insurance') as insurance_count
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
    (select count(*) from disp where disp.account_id = loan.account_id and disp.role = 'authorised')
        as authorised_count,
    ---------- the account before the grant
    activity.* exclude (loan_id),
    monthly.* exclude (loan_id),
    ---------- the loan beside the account
    loan.payments / nullif(monthly.monthly_income_amount, 0) as instalment_burden_rate,
    (loan.payments + monthly.monthly_transfer_out_amount) / nullif(monthly.monthly_income_amount, 0) as obligation_rate,
    monthly.monthly_lowest_amount / loan.payments as lowest_to_instalment_rate,
    (monthly.monthly_income_amount - monthly.monthly_outflow_amount) / loan.payments as surplus_to_instalment_rate
from loan
join account using (account_id)
join owners using (account_id)
join district on district.district_id = owners.district_id
left join activity using (loan_id)
left join monthly using (loan_id)
order by loan.loan_id
