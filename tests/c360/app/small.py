"""A publish of a few customers, for tests that need no bank."""

from datetime import date
from decimal import Decimal

import pyarrow as pa

from c360.api.resources import RESOURCES
from c360.api.snapshot import Snapshot

DAY = date(2026, 1, 2)  # a Friday
CUSTOMERS = [  # key, branch, manager
    ("cif:1", "B1", "R1"),
    ("cif:2", "B1", None),
    ("cif:3", "B2", "R2"),
    ("cif:5", "B1", None),
    ("lead:4", None, None),
]
ACTIONS = [  # customer, list, branch, manager, owner, arm, handed out
    ("cif:1", "retention", "B1", "R1", "rm", "treatment", True),
    ("cif:2", "retention", "B1", None, "branch", "control", False),
    ("cif:2", "outflow_actions", "B1", None, "call_centre", "treatment", True),
    ("cif:5", "retention", "B1", None, "branch", "treatment", True),
    ("cif:3", "retention", "B2", "R2", "rm", "treatment", True),
    ("lead:4", "lead_calls", "B2", None, "call_centre", "treatment", True),
]


def small_publish() -> Snapshot:
    """Five customers and six actions."""
    tables = {
        resource.name: pa.table({name: pa.array([], pa.string()) for name in ("customer_key", *resource.key)})
        for resource in RESOURCES
    }
    keys, branches, managers = zip(*sorted(CUSTOMERS), strict=True)
    tables["customers"] = pa.table({"customer_key": keys, "home_branch_code": branches, "rm_id": managers})
    rows = [
        {
            "action_id": f"{source}:{key}:{DAY}",
            "customer_key": key,
            "business_date": DAY,
            "source": source,
            "branch_code": branch,
            "rm_id": manager,
            "owner": owner,
            "arm": arm,
            "is_handed_out": handed_out,
            "channel": "phone",
            "priority": 1,
            "expected_amount": Decimal(10),
            "amount_at_stake": Decimal(100),
        }
        for key, source, branch, manager, owner, arm, handed_out in ACTIONS
    ]
    tables["worklist"] = pa.Table.from_pylist(sorted(rows, key=lambda row: row["action_id"]))
    return Snapshot(7, DAY, tables)
