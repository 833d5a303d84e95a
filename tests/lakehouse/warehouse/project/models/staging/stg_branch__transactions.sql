select txn_id, account_no_token, business_date, txn_at, amount, direction, counterparty_account_token, _delivery
from raw.transactions
where _superseded_date is null
