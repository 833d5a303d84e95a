"""Scoring a million customers for one task: seconds and memory, from the feature table to the score file.

``python -m benchmarks.scoring churn --date 2025-12-31`` on a built bank whose model is trained: its customers of that
date are repeated, under new keys, in a scratch engine.
"""

import argparse
import resource
import tempfile
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

import duckdb
import pyarrow.parquet as pq

from lakehouse.lake.model_files import Known
from lakehouse.settings import Settings
from ml_jobs.scores.data import read_features
from ml_jobs.scores.prediction import score_table
from ml_jobs.scores.promotion import champion
from ml_jobs.task_file import load_tasks

REFUSED = "features.refused_purposes"  # whose customers a score leaves out


def main() -> None:
    """Print seconds, processor time and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=list(load_tasks()))
    parser.add_argument("--date", type=date.fromisoformat, required=True, help="a business date with features")
    parser.add_argument("--customers", type=int, default=1_000_000)
    given = parser.parse_args()
    settings, task = Settings.from_env(), load_tasks()[given.task]
    model = champion(settings, task, Known.by(settings, given.date))
    with tempfile.TemporaryDirectory() as scratch:
        large = settings.model_copy(update={"build": Path(scratch) / "build.duckdb"})
        repeating = (settings.build, large.build, task.table, given.date, given.customers)
        other = get_context("spawn").Process(target=_repeat, args=repeating)  # its memory is not the scoring's
        other.start()
        other.join()
        began, busy = perf_counter(), process_time()
        rows = read_features(large, task, model.columns, given.date)
        read = perf_counter()
        table = score_table(task, model, rows, model.margin(rows.values))
        pq.write_table(table, Path(scratch) / "scores.parquet", compression="zstd")
        ended = perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{len(rows.customer):,} customers x {len(model.columns)} features, {model.card['model']}: "
        f"read {read - began:.1f} s, scored with reasons for all {ended - read:.1f} s, "
        f"in all {ended - began:.1f} s ({process_time() - busy:.1f} s of processor time); peak {peak:.1f} GB"
    )


def _repeat(source: Path, target: Path, table: str, day: date, customers: int) -> None:
    with duckdb.connect(str(target)) as engine:
        engine.execute(f"attach '{source}' as bank (read_only)")
        engine.execute("create schema build_features")
        for name in (table, REFUSED):
            engine.execute(
                f"""
                create table build_{name} as
                select bank_rows.* replace (customer_key || ':' || round as customer_key)
                from bank.build_{name} as bank_rows, range(1000) as rounds (round)
                where as_of_date = ?
                order by round
                limit ?
                """,
                [day, customers],
            )


if __name__ == "__main__":
    main()
