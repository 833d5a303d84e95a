"""The last records of the audit as one Parquet file, for ``ops.audit``: the largest number has the latest."""

from collections import deque
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.catalog import AUDIT
from lakehouse.lake.audit.chain import Record, head, read
from lakehouse.lake.files import appearing

RECORDS = 100_000  # the last: older ones stay in the lake
KEPT = 5  # files: what they hold is in the chain


def gather(lake: Path) -> tuple[Path, ...]:
    """The file of the last records, written where records have come since; none before the first."""
    number = head(lake).number
    if not number:
        return ()
    path = lake / "audit" / "gathered" / f"{number:012}.parquet"
    if not path.exists():
        with appearing(path) as temporary:
            pq.write_table(_table(deque(read(lake), RECORDS)), temporary, compression="zstd")
        for outdated in sorted(path.parent.glob("[!.]*.parquet"))[:-KEPT]:
            outdated.unlink(missing_ok=True)
    return (path,)


def _table(records: deque[Record]) -> pa.Table:
    rows = [
        {
            "record_number": record["number"],
            "happened_at": datetime.fromisoformat(record["at"]),
            "record_kind": record["kind"],
            "done_by": record["by"],
            "subject": record["subject"],
            "detail": record["detail"],
            "old_sha256": record["old"],
            "new_sha256": record["new"],
            "previous_hash": record["previous"],
            "record_hash": record["hash"],
        }
        for record in records
    ]
    return pa.Table.from_pylist(rows, AUDIT.arrow_schema)
