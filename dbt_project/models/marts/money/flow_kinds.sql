select
    flow_kind,
    counterparty_class,
    direction
from {{ ref('int_money__flow_kinds') }}
