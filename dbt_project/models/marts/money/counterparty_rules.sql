select
    rule_order,
    txn_type,
    channel,
    counterparty_scope,
    counterparty_bank_pattern,
    counterparty_class
from {{ ref('counterparty_classes') }}
