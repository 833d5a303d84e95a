"""Judging a task on a table of one's own: leaks called out, every division learned and judged, one report."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from lakehouse.errors import Stop
from lakehouse.settings import Settings
from ml_jobs.learning.classifier import learn
from ml_jobs.learning.evaluation import (
    Judged,
    across_folds,
    all_figures,
    banded,
    by_group,
    by_month,
    curve,
    judge,
    uncalibrated,
)
from ml_jobs.learning.fairness import gaps
from ml_jobs.learning.leaks import is_named_afterwards, single_aucs, suspicions
from ml_jobs.own_tables.divisions import Division, divisions, told
from ml_jobs.own_tables.frames import Table, labelled, read_frame
from ml_jobs.task_file import Task

PROCESSES = 2
TOO_GOOD = 0.97  # a ROC AUC that is rare in banking
STRONG = 0.80  # a feature that says so much alone deserves a look


def evaluate(settings: Settings, task: Task, path: Path | None) -> tuple[dict[str, Any], Table, Judged]:
    """Train and judge a task on its table.

    Returns
    -------
    dict
        The report; `report.table_report` shows it to a person.
    Table
        The labelled rows, leaks left out.
    Judged
        What every score says of the rows that judged.
    """
    table = labelled(task, read_frame(settings, task.table, path))
    aucs = single_aucs(table.rows.values, table.rows.label, table.encoding.source)
    leaks, suspects = suspicions(aucs, task.known_in_time)
    called_out = [suspicion.feature for suspicion in (*leaks, *suspects)]
    honest = without(table, called_out)
    judged, learned = _judged(task, honest)
    label = table.rows.label
    headline = all_figures(judged, task.capacity)
    report = {
        "task_name": task.task,
        "data": str(path or task.table),
        "rows": len(label),
        "positives": int(label.sum()),
        "base_rate": float(label.mean()),
        "split": told(task, honest),
        "rows_that_judge": len(judged.label),
        "features": list(dict.fromkeys(honest.encoding.source)),
        "dropped": table.dropped,
        "notes": list(table.notes),
        "leaks": [asdict(leak) for leak in leaks],
        "suspects": [asdict(suspect) for suspect in suspects],
        "warnings": _warnings(headline, aucs, called_out),
        "model": learned["choice"],
        "why": learned["why"],
        "rule": learned["rule"],
        "figures": headline,
        "before_calibration": uncalibrated(judged, learned["uncalibrated"]),
        "calibration_curve": curve(judged),
        "by_month": by_month(judged, task.capacity[-1]) if task.as_of_date else [],
        "segments": {
            name: by_group(judged, banded(column, task.segments[name]), task.capacity[-1])
            for name, column in _columns(task.segments, honest, learned["positions"]).items()
        },
        "fairness": {
            name: by_group(judged, banded(column, task.fairness[name]), task.capacity[-1])
            for name, column in _columns(task.fairness, honest, learned["positions"]).items()
        },
        "fairness_gaps": {
            name: gaps(judged.label, judged.ranking["model"][0], banded(column, task.fairness[name]), task.capacity[-1])
            for name, column in _columns(task.fairness, honest, learned["positions"]).items()
        },
        "single_feature_roc_auc": dict(sorted(aucs.items(), key=lambda item: -item[1])),
        "capacity": task.capacity,
        "limits": _limits(task),
    }
    if called_out:
        once = task.model_copy(update={"split": task.split.model_copy(update={"repeats": 1})})
        report["figures_with_leaks"] = all_figures(_judged(once, table)[0], task.capacity)["model"]
    return report, honest, judged


def without(table: Table, features: list[str]) -> Table:
    """The table without these features."""
    if not features:
        return table
    keep = ~np.isin(table.encoding.source, features)
    if not keep.any():
        raise Stop(f"every feature gives the outcome away: {', '.join(features)}")
    encoding = table.encoding.without(features)
    rows = table.rows
    rows = type(rows)(encoding.encoded, rows.customer, rows.as_of_date, rows.values[:, keep], rows.label)
    return type(table)(rows, table.groups, encoding, table.dropped, table.notes, table.frame)


def _judged(task: Task, table: Table) -> tuple[Judged, dict[str, Any]]:
    """Every division learned and judged; the rows come in the table's order."""
    found = list(divisions(task, table))
    jobs = (delayed(_one)(task, table.rows, table.groups, division) for division in found)
    results = Parallel(n_jobs=min(PROCESSES, len(found)))(jobs)
    rows = table.rows
    repeats = max(division.repeat for division in found) + 1
    positions = np.unique(np.concatenate([division.test for division in found]))
    place = np.full(len(rows.label), -1)
    place[positions] = np.arange(len(positions))
    ranking = {name: np.empty((repeats, len(positions))) for name in results[0]["ranking"]}
    probability = {name: np.empty((repeats, len(positions))) for name in results[0]["probability"]}
    raw = np.empty((repeats, len(positions)))
    for division, result in zip(found, results, strict=True):
        at = division.repeat, place[division.test]
        raw[at] = result["ranking"]["model"]
        comparable = result["ranking"]
        if len(found) > 1:
            comparable = across_folds(result["ranking"], result["probability"])
        for name in ranking:
            ranking[name][at] = comparable[name]
        for name in probability:
            probability[name][at] = result["probability"][name]
    judged = Judged(
        rows.customer[positions],
        table.groups[positions],
        rows.as_of_date[positions],
        rows.label[positions],
        ranking,
        probability,
    )
    choices = Counter(result["choice"] for result in results)
    choice = choices.most_common(1)[0][0]
    why = next(result["why"] for result in results if result["choice"] == choice)
    if len(results) > 1:
        why = f"chosen in {choices[choice]} of {len(results)} folds; in the first of them: {why}"
    rules = Counter((result["rule"]["feature"], result["rule"]["sign"]) for result in results)
    (feature, sign), _ = rules.most_common(1)[0]
    return judged, {
        "choice": choice,
        "why": why,
        "rule": {"feature": feature, "sign": sign},
        "uncalibrated": raw,
        "positions": positions,
    }


def _one(task: Task, rows, groups: np.ndarray, division: Division) -> dict[str, Any]:
    own = division.development
    values, label = rows.values[own], rows.label[own]
    learned = learn(task, values, label, groups[own], division.parts)
    ranking, probability, rule = judge(task, learned, rows.columns, (values, label), rows.values[division.test])
    return {
        "ranking": ranking,
        "probability": probability,
        "rule": rule,
        "choice": learned.choice,
        "why": learned.why,
    }


def _warnings(figures: dict, aucs: dict[str, float], called_out: list[str]) -> list[str]:
    warnings = []
    rest = {name: auc for name, auc in aucs.items() if name not in called_out}
    strongest = sorted(rest.items(), key=lambda item: -item[1])[:3]
    if figures["model"]["roc_auc"]["value"] > TOO_GOOD:
        names = ", ".join(f"{name} ({auc:.3f} alone)" for name, auc in strongest)
        warnings.append(
            f"a ROC AUC above {TOO_GOOD} is rare in banking: make sure that the strongest features, {names}, "
            "were known on the day that the score would be made"
        )
    warnings += [
        f"{name} says much alone (ROC AUC {auc:.3f}): make sure that it was known on the day of the score"
        for name, auc in strongest
        if auc > STRONG
    ]
    warnings += [
        f"{name} is named like something known only after the outcome (ROC AUC alone {auc:.3f}): exclude it if so"
        for name, auc in rest.items()
        if auc < STRONG and is_named_afterwards(name)
    ]
    return warnings


def _limits(task: Task) -> list[str]:
    limits = [
        "the data are taken as they came: whether a column was known on the day of the score is for their owner to say",
        "groups of people are compared above; a difference is told, not corrected",
    ]
    if not task.as_of_date:
        limits.insert(
            0, "no dates: judged on customers that it has not seen, not on a later time; in use it may do worse"
        )
    return limits


def _columns(named: Iterable[str], table: Table, positions: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of the rows that judged, as they came."""
    if lacking := [name for name in named if name not in table.frame]:
        raise Stop(f"segments or fairness: the data have no column {', '.join(lacking)}")
    return {name: table.frame[name].to_numpy()[positions] for name in named}
