"""Landed files into a table of Postgres, as a script has it that reads with pandas and writes with ``to_sql``."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from time import perf_counter

import pandas as pd
from pandas._typing import Dtype
from sqlalchemy import create_engine

TEXTS: dict[Hashable, Dtype] = dict.fromkeys(
    ("txn_id", "account_no", "direction", "channel", "txn_type", "counterparty_account", "counterparty_bank"), "str"
)
CHUNK = 10_000  # rows


def load(files: Sequence[Path], address: str) -> dict[str, float]:
    """Read the files one by one and append each to the table ``transactions``; seconds of both halves."""
    engine = create_engine(address)
    seconds = {"read_csv": 0.0, "to_sql": 0.0}
    for path in files:
        began = perf_counter()
        frame = pd.read_csv(path, sep="|", dtype=TEXTS, parse_dates=["business_date", "txn_at"])
        read = perf_counter()
        frame.to_sql("transactions", engine, if_exists="append", index=False, chunksize=CHUNK)
        seconds["read_csv"] += read - began
        seconds["to_sql"] += perf_counter() - read
    engine.dispose()
    return seconds
