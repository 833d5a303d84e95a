"""Write the cross-reference of party records and customers to the lake."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from c360.identity.clusters import memberships
from c360.identity.evidence import collect
from c360.lake import Pin, appearing
from c360.settings import Settings

SCHEMA = pa.schema(
    [
        ("party_key", pa.string()),
        ("customer_key", pa.string()),
        ("rule", pa.string()),
        ("match_weight", pa.float64()),  # empty: exact evidence has no weight
        ("valid_from", pa.date32()),
        ("valid_to", pa.date32()),
    ]
)


def link(settings: Settings, pin: Pin) -> Path:
    """Join the party records known by the pin's business date; returns the lake file ``identity/<L>-<pin>.parquet``."""
    path = settings.lake / "identity" / f"{pin.business_date}-{pin.hash}.parquet"
    rows = memberships(*collect(settings.lake, pin))
    table = pa.Table.from_pydict(
        {name: [getattr(row, name, None) for row in rows] for name in SCHEMA.names}, schema=SCHEMA
    )
    with appearing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return path
