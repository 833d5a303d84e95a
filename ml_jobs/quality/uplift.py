"""Quality of an uplift model on its test campaign, beside other rankings and the simulator's truth."""

from datetime import date
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.errors import Stop
from lakehouse.lake.model_files import newest_model
from lakehouse.settings import Settings
from ml_jobs.learning.metrics import Figure, bootstrap_weights, figure
from ml_jobs.learning.uplift import average_effect, qini
from ml_jobs.quality.oracle import uplift_truth
from ml_jobs.registry.model import load
from ml_jobs.scores.data import read_features
from ml_jobs.task_file import Task, load_tasks

KEYS = ["customer_key", "as_of_date"]


class UpliftFigures(TypedDict):
    """An uplift model on its test campaign; intervals are from a bootstrap over customers."""

    rows: int
    treated: int
    positives: int
    average_effect: Figure
    qini: dict[str, Figure]  # by ranking; a random order has 0
    model_gain: dict[str, Figure]  # by other ranking: the model's Qini less that one's
    true_effect: NotRequired[float]  # with a truth


def uplift_quality(settings: Settings, truth: Path | None, task: Task, folder: Path) -> UpliftFigures:
    """Qini of a model, of the risk alone, of the plain score and, with a truth, of the true effect.

    Parameters
    ----------
    truth : Path or None
        The simulator's ``truth/``; with it only customers whose true effect is known count.
    folder : Path
        Of the model.

    Raises
    ------
    Stop
        If the truth has none of the customers.
    """
    rows = pq.read_table(folder / "evaluation.parquet")
    days = sorted(set(rows["as_of_date"].to_pylist()))
    if task.plain_task is not None:
        rows = rows.join(_plain_scores(settings, task.plain_task, days), KEYS)
    if truth is not None:
        rows = rows.join(uplift_truth(settings, truth, days), KEYS, join_type="inner")
        if not rows.num_rows:
            raise Stop(f"{truth}: no effect on a customer at {days[-1]}: is it the truth of this bank?")
    rows = rows.sort_by([(name, "ascending") for name in KEYS])
    label, treated = (rows[name].to_numpy().astype(np.int8) for name in ("label", "treated"))
    weights = bootstrap_weights(rows["customer_key"].to_numpy())
    rankings = {
        "model": "uplift",
        "risk": "risk without a call",
        "plain": f"{task.plain_task} score",
        "oracle": "oracle (true effect)",
    }
    areas = {
        ranking: qini(label, treated, rows[name].to_numpy(), weights)
        for name, ranking in rankings.items()
        if name in rows.column_names and not rows[name].null_count
    }
    figures: UpliftFigures = {
        "rows": rows.num_rows,
        "treated": int(treated.sum()),
        "positives": int(label.sum()),
        "average_effect": figure(average_effect(label, treated, weights)),
        "qini": {name: figure(area) for name, area in areas.items()} | {"random": Figure(value=0.0, low=0.0, high=0.0)},
        "model_gain": {name: figure(areas["uplift"] - area) for name, area in areas.items() if name != "uplift"},
    }
    if truth is not None:
        figures["true_effect"] = float(np.mean(rows["oracle"].to_numpy()))
    return figures


def _plain_scores(settings: Settings, task: str, days: list[date]) -> pa.Table:
    """The margins of the task's newest model on the days, as ``plain``; no rows without a model."""
    schema = pa.schema([("customer_key", pa.string()), ("as_of_date", pa.date32()), ("plain", pa.float64())])
    folder = newest_model(settings, task)
    if folder is None:
        return schema.empty_table()
    model = load(folder, settings.token_secret)
    features = (read_features(settings, load_tasks()[task], model.columns, day) for day in days)
    return pa.concat_tables(
        pa.table({"customer_key": rows.customer, "as_of_date": rows.as_of_date, "plain": model.margin(rows.values)})
        for rows in features
    )
