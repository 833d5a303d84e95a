-- A posting counts once, where it was told first; who owns the account that day is the last that was said of it by then.
with told as (
    from transactions
    qualify row_number() over (partition by txn_id order by known_date, delivery, row) = 1
),
owners as (
    select account_no, business_date, 'cif:' || customer_no as party_key from accounts
    qualify row_number() over (partition by account_no, business_date order by known_date desc, delivery desc, row desc) = 1
),
sided as (
    select
        told.*,
        owners.party_key,
        others.party_key as counterparty_party_key,
        case
            when others.party_key = owners.party_key then 'own'
            when others.party_key is not null then 'in_bank'
            when counterparty_account is null and counterparty_bank is null then 'none'
            else 'outside'
        end as scope
    from told
    asof left join owners on told.account_no = owners.account_no and told.business_date >= owners.business_date
    asof left join owners as others
        on told.counterparty_account = others.account_no and told.business_date >= others.business_date
)
select
    txn_id,
    account_no_token,
    party_key,
    business_date,
    txn_at,
    amount,
    if(direction = 'C', amount, -amount) as signed_amount,
    direction,
    case channel when 'mobile' then 'app' when 'counter' then 'branch' else channel end as channel,
    txn_type,
    coalesce(
        (
            select arg_min(rules.counterparty_class, rules.rule_order) from counterparty_classes as rules
            where coalesce(rules.txn_type = sided.txn_type, true)
                and coalesce(rules.channel = sided.channel, true)
                and coalesce(rules.counterparty_scope = sided.scope, true)
                and (
                    rules.counterparty_bank_pattern is null
                    or lower(coalesce(sided.counterparty_bank, '')) like rules.counterparty_bank_pattern
                )
        ),
        'other'
    ) as counterparty_class,
    counterparty_party_key,
    counterparty_account_token,
    counterparty_bank,
    known_date,
    file as source_file,
    row as source_row
from sided
