"""The scores of the customers of one date, as a table of the score contract."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from lakehouse.catalog import SCORES
from ml_jobs.learning.bands import bands_of
from ml_jobs.learning.rows import Rows
from ml_jobs.learning.shapley import REASONS
from ml_jobs.learning.survival import survival_probabilities
from ml_jobs.registry.model import Model
from ml_jobs.scores.reasons import reasons
from ml_jobs.task_file import Task


def score_table(task: Task, model: Model, rows: Rows, margin: np.ndarray, saying: Rows | None = None) -> pa.Table:
    """The score contract for ``rows`` of one as-of date and their margins, in order of rank.

    ``saying`` has the columns that say reasons in place of features; see `ml_jobs.scores.reasons.reasons`.

    There are fewer than three reasons where fewer features push the score up and mean something to people.
    """
    order = np.lexsort((rows.customer, -margin))
    count = len(order)
    rank = np.arange(1, count + 1)
    why = reasons(model, rows, saying)
    columns = {
        "customer_key": rows.customer[order],
        "as_of_date": rows.as_of_date[order],
        "horizon_days": np.full(count, task.horizon_days),
        "probability": model.probability(margin[order]),
        "band": bands_of(task.bands, rank, count),
        "rank": rank,
        "model_name": [model.card["model_name"]] * count,
        "model_version": [model.card["model_version"]] * count,
        "feature_version": [model.card["feature_version"]] * count,
        "scored_at": [datetime.now(UTC).replace(tzinfo=None)] * count,
    }
    for reason in range(REASONS):
        feature = why.feature[order, reason]
        columns[f"reason_{reason + 1}_code"] = pa.array(np.array(why.codes)[feature], mask=feature < 0)
        for part, array in (("value", why.value), ("reference", why.reference)):
            columns[f"reason_{reason + 1}_{part}"] = pa.array(array[order, reason], mask=feature < 0)
    schema = SCORES.arrow_schema
    table = pa.table(columns).select(schema.names).cast(schema)
    return _per_horizon(table, margin[order], model, task.horizons) if task.horizons else table


def stated(task: Task, model: Model, margin: np.ndarray, horizon_days: int) -> np.ndarray:
    """(n,) what the score table says of each margin: a probability, or the effect of a treatment.

    Parameters
    ----------
    horizon_days : int
        Of a task of several horizons, the one that is meant.
    """
    if not task.horizons:
        return model.probability(margin)
    return 1 - survival_probabilities(margin, model.card["line"], (horizon_days,))[:, 0]


def _per_horizon(table: pa.Table, margin: np.ndarray, model: Model, days: tuple[int, ...]) -> pa.Table:
    """The table once per horizon, with the probability of leaving within it."""
    leaves = 1 - survival_probabilities(margin, model.card["line"], days)
    tables = []
    for place, horizon in enumerate(days):
        of_horizon = {"horizon_days": np.full(len(margin), horizon, np.int32), "probability": leaves[:, place]}
        at_horizon = table
        for name, column in of_horizon.items():
            at_horizon = at_horizon.set_column(table.column_names.index(name), name, pa.array(column))
        tables.append(at_horizon)
    return pa.concat_tables(tables)
