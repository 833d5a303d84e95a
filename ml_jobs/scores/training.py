"""Monthly training: one model per task and month-end, evaluated on test months that no choice has seen (see `months`).

A first fit on the early months chooses hyperparameters by later ones (see `classifier`). Then the model is fitted once
more on all development months, and calibrated on them, each customer by a model that has not seen them. That model is
evaluated on the test months, kept, and scores; it is not fitted again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier

from lakehouse.lake.model_files import Known, model_folder
from lakehouse.language import ENGLISH
from lakehouse.settings import Settings
from ml_jobs.errors import CannotScore
from ml_jobs.learning.calibration import broken, quarter_spreads, top_decile
from ml_jobs.learning.classifier import REGRESSION, TREES, Selection, select_model
from ml_jobs.learning.drift import reference_distributions
from ml_jobs.learning.evaluation import Predictions, band_names, evaluate_predictions, predict
from ml_jobs.learning.fairness import proxies
from ml_jobs.learning.folds import Fold
from ml_jobs.learning.leaks import find_leakage, single_feature_aucs
from ml_jobs.learning.metrics import auc, bootstrap_weights, figure
from ml_jobs.learning.quarters import QuarterSpread
from ml_jobs.learning.rows import Rows
from ml_jobs.learning.scorecard import SCORECARD, UNBOUND, fit_scorecard, point_table
from ml_jobs.learning.shapley import importance
from ml_jobs.learning.survival import (
    MONTHS,
    QUARTER,
    FollowUp,
    HorizonFigures,
    evaluate_survival,
    fit_survival,
    follow_up,
)
from ml_jobs.learning.uplift import average_effect, effect_promises, fit_uplift, qini, qini_curve
from ml_jobs.registry.card import Card, Months
from ml_jobs.registry.fairness_limits import Comparison, beyond, fairness_limits, said
from ml_jobs.registry.model import Model, feature_version, library_versions, load, save
from ml_jobs.scores.data import feature_columns, labelled_months, read_group_columns, read_labelled, read_month_ends
from ml_jobs.scores.months import LabelledMonth, Split, split
from ml_jobs.task_file import Task

LEAST_MONTH_ENDS, FOLLOW_UP_ROWS = 9, 200_000  # of a survival task: month-ends at least, rows at most


def train(settings: Settings, task: Task, trained_on: date) -> Model:
    """The task's model of a month-end: from the lake if it is there, otherwise trained and put there.

    Parameters
    ----------
    trained_on : date
        A month-end, or the date of a retraining; only labels that were ripe by then are used.

    Raises
    ------
    CannotScore
        If there are too few months or outcomes, or a feature gives the outcome away.
    """
    folder = model_folder(settings, task.task, Known.by(settings, trained_on, trained_on))
    if not folder.exists():
        train_anew = _train_survival if task.horizons else _train_classifier
        save(*train_anew(settings, task, trained_on, folder.name), folder, settings.token_secret)
    return load(folder, settings.token_secret)


def _train_classifier(settings: Settings, task: Task, trained_on: date, model_version: str) -> tuple[Model, pa.Table]:
    parts = split(labelled_months(settings, task, trained_on), task)
    columns = feature_columns(settings, task)
    share = min(1.0, task.training_rows / sum(month.rows for month in parts.development))
    dates = tuple(month.as_of_date for month in parts.development)
    development = read_labelled(settings, task, columns, dates, known_by=trained_on, share=share)
    aucs = single_feature_aucs(development.values, development.label, columns)
    if leaks := find_leakage(aucs, task.known_in_time)[0]:
        raise CannotScore(f"{'; '.join(map(str, leaks))}: correct the features model, or exclude it in the task file")
    tested = tuple(month.as_of_date for month in parts.test)
    test = read_labelled(settings, task, columns, tested, known_by=trained_on)
    card: Card = {
        "task": task.model_dump(mode="json"),
        "task_name": task.task,
        "data": ENGLISH("features of {table}, outcomes of {labels}", table=task.table, labels=task.labels),
        "model_version": model_version,
        "feature_version": feature_version(columns),
        "features": columns,
        "split": _describe_split(parts),
        "months": {
            "fit": _describe_months(parts.fit),
            "validation": _describe_months(parts.validation),
            "development": _describe_months(parts.development),
            "test": _describe_months(parts.test),
        },
        "customers_sampled": round(share, 6),  # of the development months; all of the test months
        "rows": len(test.label),
        "positives": int(test.label.sum()),
        "base_rate": float(test.label.mean()),
        "single_feature_roc_auc": {name: round(auc, 4) for name, auc in aucs.items()},
        "limits": _limits(task, parts),
        "libraries": library_versions(),
    }
    if task.treatment:
        return _train_uplift(task, development, test, card)
    return _fit_fairly(settings, task, development, test, card, _fold(development, parts))


def _fit_fairly(
    settings: Settings, task: Task, development: Rows, test: Rows, card: Card, fold: Fold
) -> tuple[Model, pa.Table]:
    """A model; where it is beyond a limit of fairness and the bank asks for that, one without the groups' proxies."""
    limits = fairness_limits(task)
    groups = read_group_columns(settings, (*task.segments, *task.fairness), test)
    model, evaluated = _fit_and_evaluate(task, development, test, card, fold, groups)
    unfair = beyond(model.card["group_gaps"], limits)
    told = _proxies(settings, task, development, [gap for gap in unfair if gap["remedy"] == "without_proxies"])
    if told:
        development, test = development.without(told), test.without(told)
        card |= {
            "features": development.columns,
            "feature_version": feature_version(development.columns),
            "unfairness": {
                "proxies": {name: round(area, 4) for name, area in told.items()},
                "before": unfair,
                "roc_auc_before": model.card["figures"]["model"]["roc_auc"]["value"],
            },
        }
        model, evaluated = _fit_and_evaluate(_on_fewer_features(task, told), development, test, card, fold, groups)
        unfair = beyond(model.card["group_gaps"], limits)
    model.card["fairness_limits"] = limits
    model.card["warnings"] += list(map(said, unfair))
    return model, evaluated


def _proxies(settings: Settings, task: Task, development: Rows, gaps: Sequence[Comparison]) -> dict[str, float]:
    """The features that tell apart the groups of those attributes, each with how well; none without such a gap."""
    attributes = tuple(dict.fromkeys(gap["attribute"] for gap in gaps))
    columns = read_group_columns(settings, attributes, development) if attributes else {}
    told: dict[str, float] = {}
    for attribute in attributes:
        names = band_names(columns[attribute], task.fairness[attribute])
        for feature, area in proxies(development.values, development.columns, names).items():
            told[feature] = max(area, told.get(feature, 0.0))
    return told


def _on_fewer_features(task: Task, without: Collection[str]) -> Task:
    """The task by its scorecard, or else by regression, both without these features."""
    scorecard = {name: sign for name, sign in task.scorecard.items() if name not in without}
    baseline = None if task.baseline is None or task.baseline.feature in without else task.baseline
    algorithm = SCORECARD if scorecard else REGRESSION
    return task.model_copy(update={"scorecard": scorecard, "baseline": baseline, "algorithm": algorithm})


def _fit_and_evaluate(
    task: Task, development: Rows, test: Rows, card: Card, fold: Fold, groups: Mapping[str, np.ndarray]
) -> tuple[Model, pa.Table]:
    """A model of these rows, with its card, and its predictions of the test rows.

    Parameters
    ----------
    groups : dict of str to (n,) array
        Of the test rows, the columns of the task's segments and fairness groups.
    """
    columns = development.columns
    selection = select_model(task, development.values, development.label, development.customer, (fold,))
    if task.scorecard:
        selection = _with_scorecard(task, selection, development, fold)
    if selection.selected.is_uninformative:
        raise CannotScore("of customers that it has not seen, the outcome is not more frequent where it is expected")
    ranking, probability, rule = predict(task, selection, columns, (development.values, development.label), test.values)
    predictions = Predictions(
        test.customer,
        test.customer,
        test.as_of_date,
        test.label,
        {name: scores[None] for name, scores in ranking.items()},
        {name: scores[None] for name, scores in probability.items()},
    )
    quarters = _quarters(task, selection, development)
    evaluation = evaluate_predictions(task, predictions, predictions.ranking["model"], groups, quarters)
    card = {
        **card,
        "model": selection.choice,
        "model_name": f"{task.task}-{selection.choice}",
        "chosen": selection.selected.parameters,
        "why": selection.why,
        "calibration": selection.selected.calibration,
        "rule": rule,
        "leaks": [],
        "suspects": [],
        "capacity": task.capacity,
        "quarters": quarters,
        **evaluation,
        **(_of_scorecard(selection, columns, predictions) if task.scorecard else {}),
        "warnings": broken(top_decile(evaluation["promises"])),
        "importance": importance(task, selection, test.values, columns),
        "reference": reference_distributions(development.values, columns, ranking["model"]),
    }
    return Model(selection.selected, card), predictions.to_table()


def _with_scorecard(task: Task, selection: Selection, development: Rows, fold: Fold) -> Selection:
    """The selection with the scorecard as one more candidate, which scores where the task file says so."""
    if unknown := [name for name in task.scorecard if name not in development.columns]:
        raise CannotScore(f"scorecard: the feature table has no column {', '.join(unknown)}")
    scorecards, unseen = fit_scorecard(
        task, development.columns, development.values, development.label, development.customer, (fold,)
    )
    candidates = selection.candidates | scorecards
    is_chosen = task.algorithm == SCORECARD
    choice = SCORECARD if is_chosen else selection.choice
    return replace(selection, candidates=candidates, choice=choice, unseen=selection.unseen | {SCORECARD: unseen})


def _of_scorecard(selection: Selection, columns: Sequence[str], predictions: Predictions) -> Card:
    """What a card says of the scorecard: its points, and how much better the other models rank, by ROC AUC."""
    trees = selection.candidates[SCORECARD].estimator
    others = [name for name in (UNBOUND, TREES, REGRESSION) if name in predictions.ranking]
    assert isinstance(trees, HistGradientBoostingClassifier)
    weights = bootstrap_weights(predictions.groups)
    areas = {name: auc(predictions.label, predictions.ranking[name][0], weights) for name in (SCORECARD, *others)}
    lost = {name: figure(2 * (area - areas[SCORECARD]), -2, 2) for name, area in areas.items() if name != SCORECARD}
    return {"points": point_table(trees, columns), "gini_above_scorecard": lost}


def _quarters(task: Task, selection: Selection, development: Rows) -> dict[str, QuarterSpread]:
    """How the development quarters differ from what the selected model promises, by part of the list."""
    rows, margin = selection.unseen[selection.choice]
    probability = selection.selected.probability(margin)
    return quarter_spreads(task, development.label[rows], margin, probability, development.as_of_date[rows])


def _train_uplift(task: Task, development: Rows, test: Rows, card: Card) -> tuple[Model, pa.Table]:
    fitted = fit_uplift(task, development.values, development.label, development.treated, development.customer)
    model = Model(fitted.untreated, card, fitted.treated)
    risk = fitted.untreated.margin(test.values)
    uplift = model.margin(test.values)
    weights = bootstrap_weights(test.customer)
    effects = effect_promises(test.label, test.treated, uplift, weights)
    card |= {
        "model": fitted.choice,
        "model_name": f"{task.task}-{fitted.choice}",
        "chosen": fitted.untreated.parameters,
        "why": fitted.why,
        "treated": int(test.treated.sum()),
        "average_effect": figure(average_effect(test.label, test.treated, weights), -1, 1),
        "promises": effects,
        "warnings": broken(effects),
        "figures": {
            name: {"qini": figure(qini(test.label, test.treated, ranking, weights))}
            for name, ranking in (("model", uplift), ("risk", risk))
        },
        "qini_curve": qini_curve(test.label, test.treated, uplift),
        "reference": reference_distributions(development.values, development.columns, model.margin(development.values)),
    }
    evaluation = {"customer_key": test.customer, "as_of_date": test.as_of_date, "label": test.label}
    return model, pa.table(evaluation | {"treated": test.treated, "model": uplift, "risk": risk})


def _train_survival(settings: Settings, task: Task, trained_on: date, model_version: str) -> tuple[Model, pa.Table]:
    columns = feature_columns(settings, task)
    rows = read_month_ends(settings, task, columns, trained_on, FOLLOW_UP_ROWS)
    month = rows.as_of_date.astype("datetime64[M]").astype(int)
    months = np.unique(month)
    if len(months) < LEAST_MONTH_ENDS:
        raise CannotScore(f"{len(months)} month-ends have features; at least {LEAST_MONTH_ENDS} are needed")
    landmark = months[-1] - (MONTHS if len(months) >= 2 * MONTHS + QUARTER else len(months) // 3)
    present = pd.DataFrame({"customer": rows.customer, "month": month})

    def until(end: int, landmarks: np.ndarray) -> FollowUp:
        return follow_up(rows.customer[landmarks], month[landmarks], rows.values[landmarks], present, end)

    backtest = fit_survival(task, until(landmark, month < landmark))
    test = month == landmark
    figures = evaluate_survival(backtest, until(months[-1], test), task.horizons)
    fitted = fit_survival(task, until(months[-1], month < months[-1]))
    first, last = (str(np.datetime64(int(at), "M")) for at in (landmark, months[-1]))
    card: Card = {
        "task": task.model_dump(mode="json"),
        "task_name": task.task,
        "data": ENGLISH("who is in {table} at later month-ends", table=task.table),
        "model": "logistic_regression",
        "model_name": f"{task.task}-logistic_regression",
        "model_version": model_version,
        "feature_version": feature_version(columns),
        "features": columns,
        "chosen": fitted.risk.parameters,
        "why": ENGLISH("a discrete-time hazard: too few leave to tell more than a line in the risk and the time"),
        "split": ENGLISH(
            "By time: a model of what was known at the end of {first} is judged on the customers of that day, followed "
            "to the end of {last}; the model that scores is fitted on all",
            first=first,
            last=last,
        ),
        "rows": figures["rows"],
        "positives": figures["left"],
        "base_rate": figures["left"] / figures["rows"],
        "figures": {"model": {"concordance": figures["concordance"]}},
        "horizons": figures["horizons"],
        "warnings": _broken_horizons(figures["horizons"]),
        "line": fitted.coefficients,
        "leaks": [],
        "suspects": [],
        "limits": [
            ENGLISH(
                "horizons beyond those above were not followed yet: from {first} on there is not enough history",
                first=first,
            ),
            ENGLISH("who leaves has no open account at a month-end; nothing is said of days within a month"),
        ],
        "reference": reference_distributions(rows.values, columns, fitted.risk.margin(rows.values)),
        "libraries": library_versions(),
    }
    margin = backtest.risk.margin(rows.values[test])
    evaluation = {"customer_key": rows.customer[test], "as_of_date": rows.as_of_date[test], "model": margin}
    return Model(fitted.risk, card), pa.table(evaluation)


def _broken_horizons(horizons: list[HorizonFigures]) -> list[str]:
    return [
        text for line in horizons for text in broken([line["top"]], ENGLISH(" within {days} days", days=line["days"]))
    ]


def _fold(development: Rows, parts: Split) -> Fold:
    """Positions of the rows to fit, and of those to calibrate."""
    fit, calibrate = (
        np.flatnonzero(np.isin(development.as_of_date, [np.datetime64(month.as_of_date) for month in months]))
        for months in (parts.fit, parts.validation)
    )
    return fit, calibrate


def _describe_split(parts: Split) -> str:
    first, last = parts.test[0].as_of_date, parts.test[-1].as_of_date
    return ENGLISH(
        "By time: fitted on month-ends up to {fitted}, of outcomes known on {known}; judged on {first} to {last}, "
        "which no choice has seen; the model judged is the model that scores",
        fitted=parts.development[-1].as_of_date,
        known=first,
        first=first,
        last=last,
    )


def _limits(task: Task, parts: Split) -> list[str]:
    history = ENGLISH(
        "learned from {first} to {last}; what changed since then, in the market or in the data, it does not know "
        "(`c360 ml monitor` watches it)",
        first=parts.development[0].as_of_date,
        last=parts.development[-1].as_of_date,
    )
    if task.treatment:
        whom = ENGLISH("holds for the treatment of those campaigns, and for customers whom they could have drawn")
        return [history, whom]
    within = "says what happens within {days} days, not when, nor what would happen if the bank acted"
    return [
        history,
        ENGLISH(within, days=task.horizon_days),
        ENGLISH("groups of people are compared above; a model beyond a limit of the bank is not promoted"),
    ]


def _describe_months(months: tuple[LabelledMonth, ...]) -> Months:
    return {
        "as_of_dates": [str(month.as_of_date) for month in months],
        "rows": sum(month.rows for month in months),
        "positives": sum(month.positives for month in months),
    }
