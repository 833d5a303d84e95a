"""What an uplift model is worth on the campaign that judges it, beside other rankings and the simulator's truth."""

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.errors import Stop
from lakehouse.lake.model_files import newest_model
from lakehouse.settings import Settings
from ml_jobs.learning.metrics import bootstrap_weights, interval
from ml_jobs.learning.uplift import average_effect, qini
from ml_jobs.quality.oracle import uplift_truth
from ml_jobs.registry.model import load
from ml_jobs.scores.data import read_features
from ml_jobs.task_file import load_tasks

KEYS = ["customer_key", "as_of_date"]


def uplift_quality(settings: Settings, truth: Path | None, task: str) -> dict[str, Any]:
    """Qini of the newest model, of the risk alone, of the churn score and, with a truth, of the true effect.

    Parameters
    ----------
    truth : Path or None
        The simulator's ``truth/``; with it only customers whose true effect is known count.

    Returns
    -------
    dict
        ``rows``, ``treated``, ``average_effect``, ``qini`` per ranking (a random order has 0), ``model_gain`` (the
        model's less each other one's), with intervals from a bootstrap over customers; ``true_effect`` with a truth.
    """
    folder = newest_model(settings, task)
    rows = pq.read_table(folder / "evaluation.parquet")
    days = sorted(set(rows["as_of_date"].to_pylist()))
    rows = rows.join(_churn_scores(settings, days), KEYS)
    if truth is not None:
        rows = rows.join(uplift_truth(settings, truth, days), KEYS, join_type="inner")
        if not rows.num_rows:
            raise Stop(f"{truth}: no effect on a customer at {days[-1]}: is it the truth of this bank?")
    rows = rows.sort_by([(name, "ascending") for name in KEYS])
    label, treated = (rows[name].to_numpy().astype(np.int8) for name in ("label", "treated"))
    weights = bootstrap_weights(rows["customer_key"].to_numpy())
    told = {"model": "uplift", "risk": "risk without a call", "churn": "churn score", "oracle": "oracle (true effect)"}
    areas = {
        told[name]: qini(label, treated, rows[name].to_numpy(), weights)
        for name in told
        if name in rows.column_names and not rows[name].null_count
    }
    found = {
        "rows": rows.num_rows,
        "treated": int(treated.sum()),
        "positives": int(label.sum()),
        "average_effect": asdict(interval(average_effect(label, treated, weights))),
        "qini": {name: asdict(interval(area)) for name, area in areas.items()}
        | {"random": {"value": 0.0, "low": 0.0, "high": 0.0}},
        "model_gain": {
            name: asdict(interval(areas["uplift"] - area)) for name, area in areas.items() if name != "uplift"
        },
    }
    return found if truth is None else found | {"true_effect": float(np.mean(rows["oracle"].to_numpy()))}


def _churn_scores(settings: Settings, days: list[date]) -> pa.Table:
    """What the newest churn model says of everybody on the days; no rows without one."""
    folder = newest_model(settings, "churn")
    if folder is None:
        return pa.table(
            {
                "customer_key": pa.array([], pa.string()),
                "as_of_date": pa.array([], pa.date32()),
                "churn": pa.array([], pa.float64()),
            }
        )
    model, task = load(folder, settings.token_secret), load_tasks()["churn"]
    found = (read_features(settings, task, model.columns, day) for day in days)
    return pa.concat_tables(
        pa.table({"customer_key": rows.customer, "as_of_date": rows.as_of_date, "churn": model.margin(rows.values)})
        for rows in found
    )
