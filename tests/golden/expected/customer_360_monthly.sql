-- Every asset on every day: what its postings add up to, or what a holding was last said to be worth. A customer is shown from
-- the first month-end on which one of the records is known; 90 days before there was anything count as nothing. Contribution,
-- tier with its grace, stage and contacts per channel are worked out day by day, too; debts are carried on instalment by
-- instalment. So is the business date, which the histories of tier and stage end with; the test leaves it out where it
-- compares months. Growth is a comparison of two averages of which the earlier one, too, has money to see on each of its
-- 90 days.
with recursive days as (
    select cast(unnest(generate_series(
        (select min(business_date) from transactions), getvariable('business_date'), interval 1 day
    )) as date) as day
),
postings as (
    from transactions
    qualify row_number() over (partition by txn_id order by known_date, delivery, row) = 1
),
accounts_today as (
    from accounts
    qualify row_number() over (
        partition by account_no order by business_date desc, known_date desc, delivery desc, row desc
    ) = 1
),
deposit_days as (
    select
        customer_key, account_no as asset, day, product_code, product_family, opened_date, closed_date,
        accounts_today.interest_rate,
        (
            select coalesce(sum(if(direction = 'C', amount, -amount)), 0) from postings
            where postings.account_no = accounts_today.account_no and postings.business_date <= day
        ) as deposit_amount
    from accounts_today
    join links on party_key = 'cif:' || customer_no
    left join products using (product_code)
    cross join days
    where product_family is null or product_family not in ('loan', 'card')
),
holdings_told as (
    from holdings
    qualify row_number() over (partition by holding_id, business_date order by known_date desc, delivery desc, row desc) = 1
),
holders as (
    select
        holding_id,
        'cif:' || arg_max(customer_no, business_date) as party_key,
        arg_max(start_date, business_date) as opened_date,
        if(arg_max(market_value, business_date) = 0, max(business_date), null) as closed_date,
        arg_max(product_code, business_date) as held_code
    from holdings_told
    group by holding_id
),
investment_days as (
    select
        customer_key, holders.holding_id as asset, day, held_code as product_code, product_family, opened_date, closed_date,
        market_value as investment_amount
    from holders
    join links using (party_key)
    left join products on product_code = held_code
    cross join days
    asof join holdings_told on holdings_told.holding_id = holders.holding_id and days.day >= holdings_told.business_date
),
asset_days as (from deposit_days union all by name from investment_days),
customer_days as (
    select
        customer_key,
        day,
        coalesce(sum(deposit_amount), 0) as deposit_amount,
        coalesce(sum(investment_amount), 0) as investment_amount,
        coalesce(sum(deposit_amount), 0) + coalesce(sum(investment_amount), 0) as aum_amount
    from asset_days
    group by customer_key, day
),
openings as (
    select distinct customer_key, asset, opened_date, closed_date
    from (
        select customer_key, account_no as asset, opened_date, closed_date
        from accounts_today join links on party_key = 'cif:' || customer_no left join products using (product_code)
        where product_family is null or product_family not in ('loan', 'card')
        union all
        select customer_key, holding_id, opened_date, closed_date from holders join links using (party_key)
    )
),
owner_days as (
    select account_no, 'cif:' || customer_no as party_key, business_date
    from accounts
    qualify row_number() over (
        partition by account_no, business_date order by known_date desc, delivery desc, row desc
    ) = 1
),
posted as (
    select owner_days.party_key, postings.*
    from postings
    asof join owner_days on postings.account_no = owner_days.account_no and postings.business_date >= owner_days.business_date
),
touches as (
    select party_key, business_date, channel, channel != 'batch' as is_own, false as is_complaint from posted
    union all select 'cif:' || customer_no, business_date, 'branch', true, false from branch_visits
    union all select 'online:' || user_id, business_date, platform, true, false from app_events
    union all select 'online:' || user_id, business_date, 'mall', true, false from mall_orders
    union all select 'cif:' || customer_no, business_date, channel, true, true from complaints
    union all select 'cif:' || customer_no, business_date, 'rm', false, false from rm_contacts
    union all select 'cif:' || customer_no, business_date, 'campaign', false, false from campaign_touches where arm = 'treatment'
),
activity as (
    select
        customer_key,
        business_date,
        is_own,
        is_complaint,
        case channel when 'counter' then 'branch' when 'mobile' then 'app' else channel end as channel
    from touches join links using (party_key)
),
customers_since as (select customer_key, min(first_known_date) as since from links group by customer_key),
month_ends as (
    select customer_key, days.day as as_of_date
    from customers_since join days on days.day >= since and (days.day = last_day(days.day) or days.day = getvariable('business_date'))
),
counted as (
    select
        month_ends.customer_key,
        as_of_date,
        count(*) filter (where channel = 'branch' and business_date >= date_trunc('month', as_of_date)) as branch_count,
        count(*) filter (where channel = 'atm' and business_date >= date_trunc('month', as_of_date)) as atm_count,
        count(*) filter (where channel = 'app' and business_date >= date_trunc('month', as_of_date)) as app_count,
        count(*) filter (where channel = 'web' and business_date >= date_trunc('month', as_of_date)) as web_count,
        count(*) filter (where channel = 'pos' and business_date >= date_trunc('month', as_of_date)) as pos_count,
        count(*) filter (where channel = 'wallet' and business_date >= date_trunc('month', as_of_date)) as wallet_count,
        count(*) filter (where channel = 'mall' and business_date >= date_trunc('month', as_of_date)) as mall_count,
        count(*) filter (where channel = 'phone' and business_date >= date_trunc('month', as_of_date)) as phone_count,
        count(*) filter (where channel = 'rm' and business_date >= date_trunc('month', as_of_date)) as rm_count,
        count(*) filter (where channel = 'campaign' and business_date >= date_trunc('month', as_of_date)) as campaign_count,
        count(*) filter (where is_complaint and business_date >= date_trunc('month', as_of_date)) as complaint_count,
        max(business_date) filter (where is_own) as last_activity_date
    from month_ends
    left join activity on activity.customer_key = month_ends.customer_key and business_date <= as_of_date
    group by all
),
prices as (
    select
        product_code,
        products.interest_rate as product_rate,
        max_by(transfer_rate, minimum_term_days) as transfer_rate,
        coalesce(max_by(fee_rate, minimum_term_days), 0) as fee_rate,
        coalesce(max_by(sale_fee_rate, minimum_term_days), 0) as sale_fee_rate
    from products
    join transfer_prices using (product_family)
    where currency = 'CNY' and minimum_term_days <= coalesce(term_days, 0)
    group by all
),
asset_months as (
    select
        customer_key, asset, product_code, interest_rate, last_day(day) as as_of_date,
        cast(sum(coalesce(deposit_amount, 0) + coalesce(investment_amount, 0)) as double) as days_amount
    from asset_days
    group by all
),
asset_profits as (
    select
        customer_key,
        as_of_date,
        cast(
            days_amount * coalesce(transfer_rate - cast(coalesce(interest_rate, product_rate, 0) as double), 0) / 365
            as decimal(38, 2)
        ) as interest_amount,
        cast(
            days_amount * fee_rate / 365
            + coalesce((
                select cast(arg_min(coalesce(cost, market_value), business_date) as double) from holdings_told
                where holding_id = asset and last_day(start_date) = as_of_date
            ), 0) * sale_fee_rate as decimal(38, 2)
        ) as fee_amount
    from asset_months
    join prices using (product_code)
),
fees as (
    select customer_key, last_day(business_date) as as_of_date, sum(if(direction = 'D', amount, -amount)) as fee_amount
    from posted join links using (party_key)
    where txn_type = 'fee'
    group by all
),
loan_states as (
    select loans.*, days.day as as_of_date
    from loans join days on days.day = last_day(days.day) and loans.business_date <= days.day
    qualify row_number() over (
        partition by loan_no, days.day order by business_date desc, known_date desc, delivery desc, row desc
    ) = 1
),
instalments as (
    select loan_no, as_of_date, repayment_id, due_date, paid_amount >= due_amount as is_paid
    from loan_states join loan_repayments using (loan_no)
    where loan_repayments.business_date <= as_of_date
    qualify row_number() over (
        partition by repayment_id, as_of_date
        order by loan_repayments.business_date desc, loan_repayments.known_date desc
    ) = 1
),
plans as (
    select
        loan_states.*,
        coalesce(paid_count, 0) + greatest(coalesce(date_diff('month', granted_date, first_due_date), 1) - 1, 0) as payments
    from loan_states
    left join (
        select loan_no, as_of_date, count(*) filter (where is_paid) as paid_count, min(due_date) as first_due_date
        from instalments group by all
    ) as paid using (loan_no, as_of_date)
),
debt_steps as (
    select loan_no, as_of_date, payments, 0 as step, cast(principal as double) as debt, interest_rate, instalment from plans
    union all
    select
        loan_no, as_of_date, payments, step + 1,
        debt * (1 + cast(interest_rate as double) / 12) - cast(instalment as double), interest_rate, instalment
    from debt_steps where step < payments
),
debts as (
    select
        plans.*,
        cast(
            if(status in ('repaid', 'written_off') or plans.payments >= term_months, 0, debt) as decimal(38, 2)
        ) as debt
    from plans join debt_steps using (loan_no, as_of_date)
    where step = plans.payments
),
loan_profits as (
    select
        customer_key,
        debts.as_of_date,
        (coalesce(earlier.debt, if(debts.granted_date >= date_trunc('month', debts.as_of_date), 0, debts.debt)) + debts.debt) / 2.0
            as average,
        cast(average * day(debts.as_of_date) * (
            cast(debts.interest_rate as double) - (
                select max_by(transfer_rate, minimum_term_days) from transfer_prices
                where currency = 'CNY' and product_family = 'loan' and minimum_term_days <= debts.term_months * 30.5
            )
        ) / 365 as decimal(38, 2)) - cast(average * day(debts.as_of_date) * (
            select min_by(default_rate * loss_given_default_rate, rule_order) from loan_risks
            where debts.product_code like product_code_pattern and debts.term_months >= minimum_term_months
        ) / 365 as decimal(38, 2)) as profit_amount
    from debts
    join links on party_key = 'cif:' || customer_no
    left join debts as earlier
        on debts.loan_no = earlier.loan_no and earlier.as_of_date = date_trunc('month', debts.as_of_date) - interval 1 day
),
profits as (
    select customer_key, as_of_date, interest_amount + fee_amount as profit_amount from asset_profits
    union all select customer_key, as_of_date, fee_amount from fees
    union all select customer_key, as_of_date, profit_amount from loan_profits
    union all
    select customer_key, as_of_date, -cast(
        case channel
            when 'branch' then branch_count
            when 'atm' then atm_count
            when 'app' then app_count
            when 'web' then web_count
            when 'pos' then pos_count
            when 'wallet' then wallet_count
            when 'mall' then mall_count
            when 'phone' then phone_count
            when 'rm' then rm_count
            when 'campaign' then campaign_count
        end * unit_cost_amount as decimal(38, 2)
    )
    from counted cross join service_costs
),
measured as (
    select
        month_ends.customer_key,
        as_of_date,
        coalesce(deposit_amount, 0) as deposit_amount,
        coalesce(investment_amount, 0) as investment_amount,
        coalesce(aum_amount, 0) as aum_amount,
        average(
            (
                select coalesce(sum(past.aum_amount), 0) from customer_days as past
                where past.customer_key = month_ends.customer_key and past.day > as_of_date - 90 and past.day <= as_of_date
            ),
            90
        ) as average_aum_3m_amount,
        (
            select cast(coalesce(sum(profit_amount), 0) as decimal(38, 2)) from profits
            where profits.customer_key = month_ends.customer_key
                and profits.as_of_date between greatest(last_day(month_ends.as_of_date - interval 2 month), since)
                and month_ends.as_of_date
        ) as contribution_3m_amount,
        (
            select coalesce(sum(debt), 0) from debts join links on party_key = 'cif:' || customer_no
            where links.customer_key = month_ends.customer_key and debts.as_of_date = month_ends.as_of_date
        ) as debt_amount,
        (
            select count(*) from openings
            where openings.customer_key = month_ends.customer_key and opened_date <= as_of_date
        ) - (
            select count(*) from openings
            where openings.customer_key = month_ends.customer_key and closed_date <= as_of_date
        ) as asset_count,
        (select min(opened_date) from openings where openings.customer_key = month_ends.customer_key) as first_opened_date
    from month_ends
    join customers_since using (customer_key)
    left join customer_days on customer_days.customer_key = month_ends.customer_key and day = as_of_date
),
limits as (
    from life_cycle_thresholds select
        max(threshold_value) filter (where threshold = 'onboarding_days') as onboarding_days,
        max(threshold_value) filter (where threshold = 'dormant_days') as dormant_days,
        max(threshold_value) filter (where threshold = 'lost_days') as lost_days,
        max(threshold_value) filter (where threshold = 'minimum_aum_amount') as minimum_aum_amount,
        max(threshold_value) filter (where threshold = 'growing_rate') as growing_rate,
        max(threshold_value) filter (where threshold = 'declining_rate') as declining_rate
),
rated as (
    select
        measured.*,
        aum_amount < limits.minimum_aum_amount and debt_amount = 0 as has_left,
        if(has_left, 1, (
            select max(star_tier) from tier_thresholds
            where currency = 'CNY'
                and (minimum_average_aum_amount <= average_aum_3m_amount or minimum_contribution_amount <= contribution_3m_amount)
        )) as reached_star_tier
    from measured cross join limits
),
remembered as (
    select
        rated.*,
        counted.* exclude (customer_key, as_of_date),
        (
            select max(past.reached_star_tier) from rated as past
            where past.customer_key = rated.customer_key
                and past.as_of_date between last_day(rated.as_of_date - interval 3 month) and rated.as_of_date
                and not exists (
                    from rated as gone
                    where gone.customer_key = rated.customer_key and gone.has_left
                        and gone.as_of_date > past.as_of_date and gone.as_of_date <= rated.as_of_date
                )
        ) as star_tier,
        as_of_date - coalesce(last_activity_date, first_opened_date) as days_silent,
        (
            select past.average_aum_3m_amount from rated as past
            where past.customer_key = rated.customer_key and past.as_of_date = last_day(
                rated.as_of_date - if(rated.as_of_date = last_day(rated.as_of_date), interval 3 month, interval 4 month)
            )
                and past.as_of_date - 89 >= greatest(first_opened_date, (select min(business_date) from transactions))
        ) as earlier
    from rated
    join counted using (customer_key, as_of_date)
),
staged as (
    select
        * exclude (earlier, days_silent, first_opened_date, has_left, debt_amount),
        case
            when first_opened_date is null or first_opened_date > as_of_date then 'nothing_opened'
            when aum_amount < minimum_aum_amount and asset_count <= 0 then 'all_closed'
            when aum_amount < minimum_aum_amount and days_silent >= lost_days then 'empty_and_silent'
            when as_of_date - first_opened_date < onboarding_days then 'opened_recently'
            when days_silent >= dormant_days then 'silent'
            when earlier is null then 'not_compared'
            when average_aum_3m_amount between earlier * (1 + declining_rate) and earlier * (1 + growing_rate)
                then 'assets_steady'
            when average_aum_3m_amount < earlier and aum_amount < earlier then 'assets_fell'
            when average_aum_3m_amount > earlier and aum_amount > earlier then 'assets_rose'
            else 'assets_turned'
        end as reason
    from remembered
    cross join limits
),
told as (
    select
        *,
        case
            when reason not in ('nothing_opened', 'all_closed', 'empty_and_silent') and exists (
                from staged as past
                where past.customer_key = staged.customer_key
                    and past.as_of_date between last_day(staged.as_of_date - interval 6 month) and staged.as_of_date - 1
                    and past.reason in ('all_closed', 'empty_and_silent')
            ) then 'back_after_loss'
            else reason
        end as life_cycle_reason
    from staged
)
select
    (
        select any_value(party_type) from dim_customer
        where dim_customer.customer_key = told.customer_key and valid_from <= as_of_date and coalesce(valid_to > as_of_date, true)
    ) as party_type,
    (
        select any_value(home_branch_code) from dim_customer
        where dim_customer.customer_key = told.customer_key and valid_from <= as_of_date and coalesce(valid_to > as_of_date, true)
    ) as home_branch_code,
    (
        select min(rm_id) from rm_assignments join links on party_key = 'cif:' || customer_no
        where links.customer_key = told.customer_key and as_of_date between valid_from and coalesce(valid_to, as_of_date)
            and life_cycle_reason not in ('all_closed', 'empty_and_silent')
    ) as rm_id,
    * exclude (reason, onboarding_days, dormant_days, lost_days, minimum_aum_amount, growing_rate, declining_rate),
    (select life_cycle_stage from life_cycle_reasons where reason_code = life_cycle_reason) as life_cycle_stage
from told
