"""Evaluating a task on a user's table: leakage is reported by name, every division is fitted and tested; one report."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from lakehouse.errors import Stop
from lakehouse.language import ENGLISH
from lakehouse.settings import Settings
from ml_jobs.learning.calibration import broken, top_decile
from ml_jobs.learning.classifier import select_model
from ml_jobs.learning.evaluation import (
    Predictions,
    Rule,
    comparable_across_folds,
    evaluate_predictions,
    predict,
    score_figures,
)
from ml_jobs.learning.leaks import Suspicion, find_leakage, is_named_afterwards, single_feature_aucs
from ml_jobs.learning.metrics import Figure
from ml_jobs.learning.rows import Rows
from ml_jobs.own_tables.delivered import read_rows
from ml_jobs.own_tables.divisions import Division, describe, divisions
from ml_jobs.own_tables.frames import Table, labelled, with_excluded
from ml_jobs.registry.card import Card, Leak
from ml_jobs.task_file import Task

PROCESSES = 2
TOO_GOOD = 0.97  # a ROC AUC that is rare in banking
STRONG = 0.80  # ROC AUC of a feature alone, from which on the report points to it


@dataclass(frozen=True)
class _Tested:
    """One division: predictions of its test rows, the rule, and which model was selected."""

    ranking: dict[str, np.ndarray]
    probability: dict[str, np.ndarray]
    rule: Rule
    choice: str
    why: str


@dataclass(frozen=True)
class _AllTested:
    """All divisions: predictions in the table's order, and what was selected most often."""

    predictions: Predictions
    margin: np.ndarray  # (repeats, n) of the model, before calibration
    positions: np.ndarray  # (n,) of the test rows in the table
    rule: Rule
    choice: str
    why: str


def evaluate(settings: Settings, task: Task, path: Path | None) -> tuple[Card, Table, Predictions]:
    """Train and test a task on its table.

    Returns
    -------
    Card
        The report; `report.evaluation_tables` shows it to a person.
    Table
        The labelled rows, without leaks.
    Predictions
        Of every score for the test rows.
    """
    table = labelled(task, read_rows(settings, task.table, path, task.reading))
    aucs = single_feature_aucs(table.rows.values, table.rows.label, table.encoding.source)
    # What `features` names is used: it is pointed to, and stays.
    leaks, suspects = find_leakage(aucs, (*task.known_in_time, *(task.features or ())), table.rows.label)
    called_out = [suspicion.feature for suspicion in (*leaks, *suspects)]
    honest = without(table, called_out)
    leaking, excluded = _with_excluded_leaks(task, table)
    tested = _test_divisions(task, honest)
    columns = _columns({**task.fairness, **task.segments}, honest, tested.positions)
    evaluation = evaluate_predictions(task, tested.predictions, tested.margin, columns)
    label = table.rows.label
    report: Card = {
        "task_name": task.task,
        "data": str(path or task.table),
        "rows": len(label),
        "positives": int(label.sum()),
        "base_rate": float(label.mean()),
        "split": describe(task, honest),
        "rows_that_judge": len(tested.predictions.label),
        "features": list(dict.fromkeys(honest.encoding.source)),
        "dropped": table.dropped,
        "notes": list(table.notes),
        "leaks": [_leak(leak) for leak in (*leaks, *excluded)],
        "suspects": [_leak(suspect) for suspect in suspects],
        "warnings": [
            *broken(top_decile(evaluation["promises"])),
            *_warnings(evaluation["figures"], aucs, called_out),
        ],
        "model": tested.choice,
        "why": tested.why,
        "rule": tested.rule,
        **evaluation,
        "single_feature_roc_auc": dict(sorted(aucs.items(), key=lambda item: -item[1])),
        "capacity": task.capacity,
        "limits": _limits(task),
    }
    if called_out or excluded:
        once = task.model_copy(update={"split": task.split.model_copy(update={"repeats": 1})})
        report["figures_with_leaks"] = score_figures(_test_divisions(once, leaking).predictions, task.capacity)["model"]
    return report, honest, tested.predictions


def _with_excluded_leaks(task: Task, table: Table) -> tuple[Table, list[Suspicion]]:
    """The table with the excluded columns that would leak, and these: the figure with them stays visible."""
    everything = with_excluded(task, table)
    names = set(everything.encoding.source) - set(table.encoding.source)
    if not names:
        return table, []
    added = np.isin(everything.encoding.source, list(names))
    source = [name for name in everything.encoding.source if name in names]
    aucs = single_feature_aucs(everything.rows.values[:, added], everything.rows.label, source)
    leaks, suspects = find_leakage(aucs, task.known_in_time, table.rows.label)
    found = [
        Suspicion(leak.feature, leak.roc_auc, f"{leak.why}; excluded by the task file") for leak in (*leaks, *suspects)
    ]
    return without(everything, sorted(names - {leak.feature for leak in found})), found


def without(table: Table, features: list[str]) -> Table:
    """The table without these features.

    Raises
    ------
    Stop
        If no feature is left.
    """
    if not features:
        return table
    keep = ~np.isin(table.encoding.source, features)
    if not keep.any():
        raise Stop(f"every feature gives the outcome away: {', '.join(features)}")
    encoding = table.encoding.without(features)
    rows = table.rows
    rows = type(rows)(encoding.encoded, rows.customer, rows.as_of_date, rows.values[:, keep], rows.label)
    return replace(table, rows=rows, encoding=encoding)


def _test_divisions(task: Task, table: Table) -> _AllTested:
    """Fit and test every division."""
    divided = list(divisions(task, table))
    jobs = (delayed(_test)(task, table.rows, table.groups, division) for division in divided)
    results = Parallel(n_jobs=min(PROCESSES, len(divided)))(jobs)
    rows = table.rows
    repeats = max(division.repeat for division in divided) + 1
    positions = np.unique(np.concatenate([division.test for division in divided]))
    place = np.full(len(rows.label), -1)
    place[positions] = np.arange(len(positions))
    ranking = {name: np.empty((repeats, len(positions))) for name in results[0].ranking}
    probability = {name: np.empty((repeats, len(positions))) for name in results[0].probability}
    margin = np.empty((repeats, len(positions)))
    for division, result in zip(divided, results, strict=True):
        at = division.repeat, place[division.test]
        margin[at] = result.ranking["model"]
        comparable = result.ranking
        if len(divided) > 1:
            comparable = comparable_across_folds(result.ranking, result.probability)
        for name in ranking:
            ranking[name][at] = comparable[name]
        for name in probability:
            probability[name][at] = result.probability[name]
    predictions = Predictions(
        rows.customer[positions],
        table.groups[positions],
        rows.as_of_date[positions],
        rows.label[positions],
        ranking,
        probability,
    )
    return _AllTested(predictions, margin, positions, *_most_frequent(results))


def _most_frequent(results: list[_Tested]) -> tuple[Rule, str, str]:
    """The rule and the model that most divisions selected, and why the first of those selected the model."""
    choices = Counter(result.choice for result in results)
    choice = choices.most_common(1)[0][0]
    why = next(result.why for result in results if result.choice == choice)
    if len(results) > 1:
        why = f"chosen in {choices[choice]} of {len(results)} folds; in the first of them: {why}"
    rules = Counter((result.rule["feature"], result.rule["sign"]) for result in results)
    (feature, sign), _ = rules.most_common(1)[0]
    return {"feature": feature, "sign": sign}, choice, why


def _test(task: Task, rows: Rows, groups: np.ndarray, division: Division) -> _Tested:
    """Fit on the development rows, and predict the test rows."""
    development = division.development
    values, label = rows.values[development], rows.label[development]
    selection = select_model(task, values, label, groups[development], division.folds)
    ranking, probability, rule = predict(task, selection, rows.columns, (values, label), rows.values[division.test])
    return _Tested(ranking, probability, rule, selection.choice, selection.why)


def _leak(suspicion: Suspicion) -> Leak:
    return {"feature": suspicion.feature, "roc_auc": suspicion.roc_auc, "why": suspicion.why}


def _warnings(figures: dict[str, dict[str, Figure]], aucs: dict[str, float], called_out: list[str]) -> list[str]:
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
        ENGLISH("groups of people are compared above; a difference is reported, not corrected"),
    ]
    if not task.as_of_date:
        limits.insert(
            0, "no dates: judged on customers that it has not seen, not on a later time; in use it may do worse"
        )
    return limits


def _columns(named: Mapping[str, tuple[float, ...]], table: Table, positions: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of the test rows, as delivered; those that are cut into bands as numbers."""
    columns = {}
    for name, edges in named.items():
        values = table.columns.read(name, as_number=bool(edges)).values if edges else None
        if values is None:
            column = table.columns.delivered.frame[name]
            values = column.astype(object).to_numpy()
        elif not np.issubdtype(values.dtype, np.floating):
            raise Stop(f"segments or fairness: {name} holds no numbers to cut at {edges}", f"write {name}: []")
        columns[name] = values[positions]
    return columns
