-- Days of change: postings summed up from the beginning, beside the balance that the bank told last.
with postings as (
    from transactions
    qualify row_number() over (partition by txn_id order by known_date, delivery, row) = 1
),
bank as (
    from balances
    qualify row_number() over (
        partition by account_no_token, business_date order by known_date desc, delivery desc, row desc
    ) = 1
),
owners as (
    select account_no_token, business_date, 'cif:' || customer_no as party_key from accounts
    qualify row_number() over (
        partition by account_no_token, business_date order by known_date desc, delivery desc, row desc
    ) = 1
),
days as (select account_no_token, business_date from postings union select account_no_token, business_date from bank),
summed as (
    select
        account_no_token,
        business_date,
        (select coalesce(sum(amount), 0) from postings where postings.account_no_token = days.account_no_token
            and postings.business_date = days.business_date and direction = 'C') as credit_amount,
        (select coalesce(sum(amount), 0) from postings where postings.account_no_token = days.account_no_token
            and postings.business_date = days.business_date and direction = 'D') as debit_amount,
        (select count(*) from postings where postings.account_no_token = days.account_no_token
            and postings.business_date = days.business_date) as txn_count,
        (select sum(if(direction = 'C', amount, -amount)) from postings where postings.account_no_token = days.account_no_token
            and postings.business_date <= days.business_date) as balance_amount
    from days
)
select
    summed.account_no_token,
    owners.party_key,
    summed.business_date,
    credit_amount,
    debit_amount,
    txn_count,
    coalesce(balance_amount, 0) as balance_amount,
    bank.balance as bank_balance_amount,
    bank.balance - coalesce(balance_amount, 0) as difference_amount
from summed
left join bank using (account_no_token, business_date)
asof left join owners on summed.account_no_token = owners.account_no_token and summed.business_date >= owners.business_date
