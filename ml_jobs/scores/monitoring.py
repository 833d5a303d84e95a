"""Whether a model still sees what it was trained on: drift, and calibration once labels are ripe.

Each scoring leaves a file of figures in the lake (`keep_figures`), from which ``ops.model_monitoring`` is made and the
gate marts -> readers warns. Alerts on the score itself lead to a retraining out of turn, if outcomes have come in since
the training date; what drifts in a single feature is told, and left to the monthly training.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from math import sqrt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse import lake
from lakehouse.catalog import MODEL_MONITORING
from lakehouse.lake.model_files import Known, in_force, monitored_dates, monitoring_path, retraining_path, score_path
from lakehouse.settings import Settings
from ml_jobs.learning.drift import ALERT, MISSING_RISE, SCORE, watched
from ml_jobs.learning.metrics import auc
from ml_jobs.learning.rows import Rows
from ml_jobs.registry.model import Model
from ml_jobs.scores.data import labelled_months, read_labelled
from ml_jobs.scores.months import LabelledMonth
from ml_jobs.task_file import Task

MONTH = timedelta(31)  # that the first figures look back for labels
ROWS = 100_000  # at most, evenly spread: the drift of more rows is the same


CALIBRATION_GAP = 0.02  # observed less expected rate; at least three standard errors, so that small months stay silent


def keep_figures(settings: Settings, task: Task, known: Known, model: Model, rows: Rows, margin: np.ndarray) -> None:
    """Put the figures of the business date into the lake, and with them the retraining that they call for, if any.

    Parameters
    ----------
    model : Model
        In use on the business date.
    rows : Rows
        What it scores.
    margin : (n,) array
        What it says of them.
    """
    spread = slice(None, None, -(-len(rows.customer) // ROWS))
    version, today = model.card["model_version"], known.business_date
    lines = []
    for line in watched(model.card, rows.values[spread], margin[spread]):
        own = {"feature": line["feature"], "model_version": version, "measured_date": today}
        lines.append(_line("stability_index", line["stability_index"], ALERT, **own))
        lines.append(_line("missing_rise", line["missing_rise"], MISSING_RISE, **own))
    for month in ripe_calibration(settings, task, today, _newly_ripe(settings, task, today)):
        own = {"feature": SCORE, "model_version": month["model_version"], "measured_date": month["as_of_date"]}
        error = sqrt(month["expected"] * (1 - month["expected"]) / month["rows"])
        gap = abs(month["observed"] - month["expected"])
        lines.append(_line("calibration_gap", gap, max(CALIBRATION_GAP, 3 * error), **own))
        if month["positives"] >= task.minimum.test_positives and "roc_auc" in month:
            lines.append(_line("roc_auc", month["roc_auc"], task.promotion.minimum_roc_auc, is_least=True, **own))
    alerts = [line for line in lines if line["is_alert"] and line["feature"] == SCORE]
    months = labelled_months(settings, task, today) if alerts else []
    news = [month for month in months if month.ripe_date > known.trained_on]
    if news:
        lake.write_json(
            retraining_path(settings, task.task, known),
            {
                "task": task.task,
                "as_of_date": today,
                "why": [f"{line['measure']} {line['value']:.3f}, limit {line['threshold']:.3f}" for line in alerts],
                "news": f"outcomes of {', '.join(str(month.as_of_date) for month in news)}",
            },
        )
    table = pa.Table.from_pylist([line | {"as_of_date": today} for line in lines], MODEL_MONITORING.arrow_schema)
    with lake.appearing(monitoring_path(settings, task.task, known)) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def ripe_calibration(
    settings: Settings, task: Task, business_date: date, months: Iterable[LabelledMonth]
) -> list[dict[str, Any]]:
    """What was promised against what came, for those of the month-ends that were scored.

    Returns
    -------
    list of dict
        ``as_of_date``, ``model_version``, ``rows``, ``positives``, ``observed``, ``expected``, and ``roc_auc`` if there
        are both outcomes.
    """
    if task.treatment or task.horizons:
        return []  # nobody's own effect is ever seen, and a year is not ripe
    found = []
    for month in months:
        path = score_path(settings, task.task, in_force(settings, task.task, Known.by(settings, month.as_of_date)))
        if not path.exists():
            continue
        scores = pq.read_table(path, columns=["customer_key", "probability", "model_version"], partitioning=None)
        labels = read_labelled(settings, task, (), (month.as_of_date,), known_by=business_date)
        outcome = pa.table({"customer_key": labels.customer, "label": labels.label})
        both = scores.join(outcome, "customer_key", join_type="inner").sort_by("customer_key")
        label, probability = both["label"].to_numpy(), both["probability"].to_numpy()
        line = {
            "as_of_date": month.as_of_date,
            "model_version": scores["model_version"][0].as_py(),
            "rows": len(label),
            "positives": int(label.sum()),
            "observed": float(label.mean()),
            "expected": float(probability.mean()),
        }
        if 0 < label.sum() < len(label):
            line["roc_auc"] = float(auc(label, probability, np.ones((1, len(label))))[0])
        found.append(line)
    return found


def _newly_ripe(settings: Settings, task: Task, today: date) -> list[LabelledMonth]:
    """The month-ends whose labels have become ripe since the last date that has figures."""
    before = max((day for day in monitored_dates(settings, task.task) if day < today), default=today - MONTH)
    ripening = (today - timedelta(task.horizon_days + ago) for ago in range((today - before).days))
    if all(day.month == (day + timedelta(1)).month for day in ripening):
        return []  # as on most dates: the engine need not be asked
    return [month for month in labelled_months(settings, task, today) if month.ripe_date > before]


def _line(measure: str, value: float, threshold: float, is_least: bool = False, **own: Any) -> dict[str, Any]:
    is_alert = value < threshold if is_least else value > threshold
    return own | {"measure": measure, "value": value, "threshold": threshold, "is_alert": is_alert}
