"""The hidden truth, for evaluation only: who is who, true hazards, true events."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.deliveries import COMMUNITY
from simulator.people import customer_nos

Columns = dict[str, pa.Array | np.ndarray]
_SCHEMAS = {
    "persons": pa.schema([("party_key", pa.string()), ("person_id", pa.string())]),
    "hazards": pa.schema(
        [
            ("customer_no", pa.string()),
            ("as_of_date", pa.date32()),
            ("churn", pa.float64()),
            ("tier_upgrade", pa.float64()),
            ("tier_downgrade", pa.float64()),
            ("delinquency", pa.float64()),
        ]
    ),
    "events": pa.schema([("customer_no", pa.string()), ("event_date", pa.date32()), ("event", pa.string())]),
    "planted_outflows": pa.schema(
        [
            ("customer_no", pa.string()),
            ("outflow_date", pa.date32()),
            ("party_key", pa.string()),
            ("kind", pa.string()),
            ("destination", pa.string()),
            ("amount", pa.decimal128(18, 2)),
            ("assets_amount", pa.decimal128(18, 2)),
            ("share", pa.float64()),
            ("should_alert", pa.bool_()),
        ]
    ),
    "treatment_effects": pa.schema(
        [
            ("customer_no", pa.string()),
            ("as_of_date", pa.date32()),
            ("treatment", pa.string()),
            ("outcome", pa.string()),
            ("untreated", pa.float64()),
            ("treated", pa.float64()),
        ]
    ),
}

DESTINATIONS = {
    "large_outflow": "other_bank",
    "leaving": "other_bank",
    "spread": "other_bank",
    "loan_spent": "other_bank",
    "lent": "broker",
    "parking": "broker",
    "purchase": "own_product",
}
"""Where the money of each kind of planted movement goes."""
LARGE_SHARE, LARGE_AMOUNT = 0.30, 20_000
"""Least share of the assets, and least CNY, of money lost to other banks that ought to raise an alert."""


def yuan(cents: np.ndarray) -> pa.Array:
    """Cents as exact CNY."""
    return pa.array([Decimal(value).scaleb(-2) for value in cents.tolist()], pa.decimal128(18, 2))


class Truth:
    """Parquet files that grow chunk by chunk, one row group per community, so that chunks leave no trace."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._writers = {
            name: pq.ParquetWriter(folder / f"{name}.parquet", schema) for name, schema in _SCHEMAS.items()
        }
        self._pending: dict[str, list[tuple[np.ndarray, pa.Table]]] = {name: [] for name in _SCHEMAS}

    def add(self, name: str, owner: np.ndarray, columns: Columns) -> None:
        """Keep rows of customers with index ``owner`` until the chunk ends."""
        schema = _SCHEMAS[name]
        arrays = [pa.array(columns[field.name]).cast(field.type) for field in schema]
        self._pending[name].append((owner, pa.table(arrays, schema=schema)))

    def add_by_customer(self, name: str, owner: np.ndarray, day: int | np.ndarray, columns: Columns) -> None:
        """Keep rows that have a customer number and a date (the second column)."""
        days = pa.array(np.broadcast_to(np.asarray(day, np.int32), owner.shape))
        self.add(name, owner, {"customer_no": customer_nos(owner), _SCHEMAS[name].names[1]: days, **columns})

    def flush(self) -> None:
        """Write the rows of the chunk, by community."""
        for name, parts in self._pending.items():
            if not parts:
                continue
            owner = np.concatenate([part[0] for part in parts])
            table = pa.concat_tables([part[1] for part in parts])
            order = np.argsort(owner, kind="stable")
            table, community = table.take(pa.array(order)).combine_chunks(), owner[order] // COMMUNITY
            starts = [*np.flatnonzero(np.diff(community, prepend=-1)), len(order)]
            for begin, end in pairwise(starts):
                self._writers[name].write_table(table.slice(begin, end - begin))
            parts.clear()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
