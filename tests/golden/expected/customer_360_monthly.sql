-- Every asset on every day: what its postings add up to, or what a holding was last said to be worth. A customer is shown from
-- the first month-end on which one of the records is known; 90 days before there was anything count as nothing.
with days as (
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
        customer_key, account_no as asset, day,
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
    select holding_id, 'cif:' || arg_max(customer_no, business_date) as party_key from holdings_told group by holding_id
),
investment_days as (
    select customer_key, holders.holding_id as asset, day, market_value as investment_amount
    from holders
    join links using (party_key)
    cross join days
    asof join holdings_told on holdings_told.holding_id = holders.holding_id and days.day >= holdings_told.business_date
),
customer_days as (
    select
        customer_key,
        day,
        coalesce(sum(deposit_amount), 0) as deposit_amount,
        coalesce(sum(investment_amount), 0) as investment_amount,
        coalesce(sum(deposit_amount), 0) + coalesce(sum(investment_amount), 0) as aum_amount
    from (from deposit_days union all by name from investment_days)
    group by customer_key, day
),
customers_since as (select customer_key, min(first_known_date) as since from links group by customer_key),
measured as (
    select
        customer_key,
        days.day as as_of_date,
        coalesce(deposit_amount, 0) as deposit_amount,
        coalesce(investment_amount, 0) as investment_amount,
        coalesce(aum_amount, 0) as aum_amount,
        average(
            (
                select coalesce(sum(past.aum_amount), 0) from customer_days as past
                where past.customer_key = customers_since.customer_key and past.day > days.day - 90 and past.day <= days.day
            ),
            90
        ) as average_aum_3m_amount
    from customers_since
    join days on days.day >= since and days.day = last_day(days.day)
    left join customer_days using (customer_key, day)
)
select
    *,
    (
        select coalesce(max(star_tier), 1) from tier_thresholds
        where currency = 'CNY' and minimum_average_aum_amount <= average_aum_3m_amount
    ) as star_tier
from measured
