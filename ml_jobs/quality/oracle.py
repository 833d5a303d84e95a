"""The best possible score: the simulated bank's true hazards, on the test rows of a model.

Only evaluation reads the truth; the pipeline never does, and a real bank has none.
"""

from datetime import date
from pathlib import Path
from typing import NotRequired, TypedDict

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.lake.model_files import Known, in_force, monitored_dates, newest_model, score_path
from lakehouse.settings import Settings
from ml_jobs.learning.calibration import DECILES, in_top_decile
from ml_jobs.learning.metrics import SHARE, Figure, auc, bootstrap_weights, figure
from ml_jobs.task_file import load_tasks

SCORES = ("model", "logistic_regression", "rule")


class TopTruth(TypedDict):
    """The top decile of a list: what the model promised, and the mean true probability, of the same customers."""

    as_of_dates: list[str]
    rows: int
    promised: float
    true: float


class OracleFigures(TypedDict):
    """A model beside the true hazard; intervals are from a bootstrap over customers."""

    rows: int
    rows_without_hazard: int
    positives: int
    roc_auc: dict[str, Figure]  # by score, and of the oracle
    gini_of_oracle: dict[str, Figure]  # by score: its Gini coefficient over the oracle's
    top_decile: TopTruth
    newest_scores: NotRequired[TopTruth]  # of the newest date whose hazards are known


def has_hazard(truth: Path, task: str) -> bool:
    """Whether the truth holds the probability of the task's outcome."""
    path = truth / "hazards.parquet"
    if not path.exists():
        raise Stop(f"{truth} has no hazards.parquet", "give the truth/ folder of the simulated bank")
    return load_tasks()[task].true_hazard in pq.read_schema(path).names


def oracle_auc(settings: Settings, truth: Path, task: str) -> OracleFigures:
    """The newest model, the simpler scores and the true hazard, on the test rows whose hazard is known.

    Parameters
    ----------
    truth : Path
        The simulator's ``truth/``; ``hazards.parquet`` has ``customer_no``, ``as_of_date`` and a probability per
        outcome.

    Raises
    ------
    ValueError
        If the task has no model, or the truth has none of its customers.
    """
    folder = newest_model(settings, task)
    if folder is None:
        raise Stop(f"{task} has no model in {settings.lake / 'models'}: run the pipeline first")
    evaluation = pq.read_table(folder / "evaluation.parquet")
    dates = sorted(set(evaluation["as_of_date"].to_pylist()))
    rows = _with_hazards(settings, truth, task, evaluation)
    if not rows.num_rows:
        raise Stop(f"{truth}: no hazard of a customer at {dates[-1]}: is it the truth of this bank?")
    label = rows["label"].to_numpy()
    weights = bootstrap_weights(rows["customer_key"].to_numpy())
    areas = {name: auc(label, rows[name].to_numpy(), weights) for name in (*SCORES, "oracle")}
    figures: OracleFigures = {
        "rows": rows.num_rows,
        "rows_without_hazard": evaluation.num_rows - rows.num_rows,
        "positives": int(label.sum()),
        "roc_auc": {name: figure(area, *SHARE) for name, area in areas.items()},
        "gini_of_oracle": {name: figure((2 * areas[name] - 1) / (2 * areas["oracle"] - 1)) for name in SCORES},
        "top_decile": _top_truth(rows, rows["model"].to_numpy(), rows["model_probability"].to_numpy()),
    }
    newest = _newest_scores(settings, truth, task)
    return figures if newest is None else {**figures, "newest_scores": newest}


def _with_hazards(settings: Settings, truth: Path, task: str, rows: pa.Table) -> pa.Table:
    """Those rows whose hazard is known, with it as ``oracle``, by date and customer."""
    known = pa.concat_tables(
        of_day.append_column("as_of_date", pa.array([day] * of_day.num_rows, pa.date32()))
        for day in sorted(set(rows["as_of_date"].to_pylist()))
        for of_day in (hazards(settings, truth, task, day),)
    )
    joined = rows.join(known, ["customer_key", "as_of_date"], join_type="inner")
    return joined.sort_by([("as_of_date", "ascending"), ("customer_key", "ascending")])


def _top_truth(rows: pa.Table, ranking: np.ndarray, probability: np.ndarray) -> TopTruth:
    days = rows["as_of_date"].to_numpy()
    top = in_top_decile(ranking, days)
    return {
        "as_of_dates": [str(day) for day in np.unique(days)],
        "rows": int(top.sum()),
        "promised": float(probability[top].mean()),
        "true": float(rows["oracle"].to_numpy()[top].mean()),
    }


def _newest_scores(settings: Settings, truth: Path, task: str) -> TopTruth | None:
    """Of the newest scores in force, if the truth knows their date: what readers are promised today."""
    newest = max(monitored_dates(settings, task), default=None)
    if newest is None:
        return None
    path = score_path(settings, task, in_force(settings, task, Known.by(settings, newest)))
    if not path.exists():
        return None
    columns = ["customer_key", "as_of_date", "rank", "probability"]
    scores = pq.read_table(path, columns=columns, partitioning=None)
    rows = _with_hazards(settings, truth, task, scores)
    if rows.num_rows < DECILES:
        return None
    return _top_truth(rows, -rows["rank"].to_numpy(), rows["probability"].to_numpy())


def uplift_truth(settings: Settings, truth: Path, dates: list[date]) -> pa.Table:
    """``customer_key``, ``as_of_date`` and ``oracle``: by how much a call in the next month lowers the true risk.

    A customer of several records gets their mean.
    """
    xref = warehouse.query(settings, "select party_key, customer_key, valid_from, valid_to from raw.customer_xref")
    with duckdb.connect() as connection:
        connection.register("xref", xref)
        return connection.sql(
            """
            select
                xref.customer_key,
                cast(date_trunc('month', effects.as_of_date) as date) - 1 as as_of_date,
                avg(effects.untreated - effects.treated) as oracle
            from read_parquet($truth) as effects
            inner join xref on xref.party_key = 'cif:' || effects.customer_no
            where cast(date_trunc('month', effects.as_of_date) as date) - 1 in (select unnest($dates))
                and xref.valid_from < date_trunc('month', effects.as_of_date)
                and (xref.valid_to is null or xref.valid_to >= date_trunc('month', effects.as_of_date))
            group by all
            """,
            params={"truth": str(truth / "treatment_effects.parquet"), "dates": dates},
        ).to_arrow_table()


def hazards(settings: Settings, truth: Path, task: str, as_of_date: date) -> pa.Table:
    """``customer_key`` and ``oracle``, the true probability; the mean of a customer's records if there are several."""
    if task not in load_tasks():
        raise Stop(f"{task} is no task: use one of {', '.join(load_tasks())}")
    hazard = load_tasks()[task].true_hazard
    xref = warehouse.query(settings, "select party_key, customer_key, valid_from, valid_to from raw.customer_xref")
    with duckdb.connect() as connection:
        connection.register("xref", xref)
        return connection.sql(
            f"""
            select xref.customer_key, avg(hazards."{hazard}") as oracle
            from read_parquet($truth) as hazards
            inner join xref on xref.party_key = 'cif:' || hazards.customer_no
            where hazards.as_of_date = $day
                and hazards."{hazard}" is not null
                and xref.valid_from <= $day
                and (xref.valid_to is null or xref.valid_to > $day)
            group by xref.customer_key
            """,
            params={"truth": str(truth / "hazards.parquet"), "day": as_of_date},
        ).to_arrow_table()
