-- The source's tables as rows of our feeds; docs/BERKA.md gives the reasons.

-- Loan statuses are "as of the end of 1998".
set variable status_date = date '1998-12-31';

insert into branches by name
select
    district_id as branch_code,
    name as branch_name,
    name as city,
    region,
    average_salary,
    unemployment_percent / 100 as unemployment_rate,
from district;

insert into products by name
select * from (
    values
        ('CURRENT-MONTHLY', 'Current account, monthly statement', 'current'),
        ('CURRENT-WEEKLY', 'Current account, weekly statement', 'current'),
        ('CURRENT-TRANSACTION', 'Current account, statement after each transaction', 'current'),
        ('LOAN', 'Instalment loan', 'loan')
) as catalogue (product_code, product_name, product_family);

-- A client is known from the day of the first account that they own or may use.
insert into customers by name
select
    client.client_id as customer_no,
    min(account.date) as business_date,
    'P' as party_type,
    'Client ' || client.client_id as name,
    client.gender,
    client.birth_date,
    district.name as city,
    client.district_id as home_branch_code,
    min(account.date) as opened_date,
from client
join disp using (client_id)
join account using (account_id)
join district on district.district_id = client.district_id
group by client.client_id, client.gender, client.birth_date, district.name, client.district_id;

insert into accounts by name
select
    account.account_id as account_no,
    account.date as business_date,
    disp.client_id as customer_no,
    authorised.client_id as authorised_customer_no,
    case account.frequency
        when 'monthly' then 'CURRENT-MONTHLY'
        when 'weekly' then 'CURRENT-WEEKLY'
        when 'after_transaction' then 'CURRENT-TRANSACTION'
    end as product_code,
    account.district_id as branch_code,
    'CZK' as currency,
    account.date as opened_date,
    'open' as status,
from account
join disp on disp.account_id = account.account_id and disp.role = 'owner'
left join disp as authorised on authorised.account_id = account.account_id and authorised.role = 'authorised';

-- A transfer to an account that a standing order of this account pays is that order's; the order says what it was for.
create table posting as
select
    trans.*,
    booking.position,
    coalesce(trans.purpose, standing.purpose) as known_purpose,
    standing.order_id,
from trans
join booking using (trans_id)
left join "order" as standing
    on standing.account_id = trans.account_id
    and standing.bank = trans.bank
    and standing.account = trans.account
    and trans.operation = 'transfer_out';

-- No time of day is known: noon and a second for each posting of the account on that day, in booking order.
insert into transactions by name
select
    trans_id as txn_id,
    account_id as account_no,
    date as business_date,
    date + interval 12 hours + to_seconds(position) as txn_at,
    amount,
    direction,
    case
        when known_purpose in ('interest', 'penalty interest', 'statement fee') then 'batch'
        when operation in ('transfer_in', 'transfer_out') then 'batch'
        when operation = 'card_cash_out' then 'atm'
        when operation in ('cash_in', 'cash_out') then 'counter'
    end as channel,
    case
        when known_purpose in ('interest', 'penalty interest') then 'interest'
        when known_purpose = 'statement fee' then 'fee'
        when known_purpose = 'pension' then 'pension'
        when known_purpose = 'loan payment' then 'loan_payment'
        when known_purpose = 'household' then 'utility'
        when operation in ('cash_in', 'cash_out', 'card_cash_out') then 'cash'
        when operation in ('transfer_in', 'transfer_out') then 'transfer'
    end as txn_type,
    bank || '-' || nullif(account, '0') as counterparty_account,
    bank as counterparty_bank,
    nullif(concat_ws(', ', known_purpose, 'standing order ' || order_id), '') as remark,
from posting;

insert into balances by name
select
    account_id as account_no,
    date as business_date,
    arg_max(balance, position) as balance,
    'CZK' as currency,
from posting
group by account_id, date;

-- What was known when: the grant on its day, a finished loan's outcome at the end of its term, debt at the status date.
create table outcome as
select
    loan.*,
    disp.client_id,
    case
        when status in ('finished_paid', 'finished_unpaid') then duration
        else date_sub('month', date, getvariable('status_date'))
    end as due_instalments,
    cast(date + to_months(cast(due_instalments as integer)) as date) as last_due_date,
    case
        when status in ('finished_paid', 'finished_unpaid') then last_due_date
        else getvariable('status_date')
    end as known_date,
from loan
join disp on disp.account_id = loan.account_id and disp.role = 'owner';

insert into loans by name
select
    loan_id as loan_no,
    state.business_date,
    client_id as customer_no,
    account_id as account_no,
    'LOAN' as product_code,
    date as granted_date,
    amount as principal,
    duration as term_months,
    payments as instalment,
    state.status,
from outcome,
    lateral (
        select date as business_date, 'running' as status
        union all
        select known_date, case outcome.status when 'finished_paid' then 'repaid' else 'in_arrears' end
        where outcome.status != 'running_good'
    ) as state;

-- The last instalment that fell due is the only one that the status describes: paid, or not paid since.
insert into loan_repayments by name
select
    loan_id || '-' || due_instalments as repayment_id,
    state.business_date,
    loan_id as loan_no,
    last_due_date as due_date,
    payments as due_amount,
    case when is_paid then payments else 0 end as paid_amount,
    case when is_paid then last_due_date end as paid_date,
    case when is_paid then 0 else state.business_date - last_due_date end as days_past_due,
from (select *, status in ('finished_paid', 'running_good') as is_paid from outcome where due_instalments > 0) as due,
    lateral (
        select known_date as business_date
        union
        select getvariable('status_date') where status = 'finished_unpaid'
    ) as state;

insert into cards by name
select
    card.card_id,
    card.issued as business_date,
    disp.client_id as customer_no,
    disp.account_id as account_no,
    'credit' as card_type,
    card.level as card_level,
    card.issued as issued_date,
    'active' as status,
from card
join disp using (disp_id);
