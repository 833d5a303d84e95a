"""Monitoring: drift since training, what the scores are expected to be worth, and how they did once labels are ripe.

Each scoring writes a file of figures into the lake (`write_monitoring`). ``ops.model_monitoring`` is made from it, and
the gate marts -> readers warns of its alerts. Alerts on the score itself lead to a retraining out of turn, if labels
have become ripe since the training date; drift of a single feature is reported, and left to the monthly training.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from math import sqrt
from typing import NotRequired, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse import lake
from lakehouse.catalog import MODEL_MONITORING
from lakehouse.lake.model_files import (
    Known,
    in_force,
    monitored_dates,
    monitoring_path,
    promotion_path,
    retraining_path,
    score_path,
)
from lakehouse.settings import Settings
from ml_jobs.learning.calibration import TOP, Promise, Z, alarms, limit, promises
from ml_jobs.learning.drift import ALERT, MISSING_RISE, SCORE, feature_drift
from ml_jobs.learning.estimates import auc_interval, expected_auc
from ml_jobs.learning.evaluation import band_names
from ml_jobs.learning.fairness import group_gaps
from ml_jobs.learning.metrics import auc
from ml_jobs.learning.rows import Rows
from ml_jobs.registry.card import Card
from ml_jobs.registry.decision import Decision
from ml_jobs.registry.fairness_limits import Comparison, compared, fairness_limits, is_beyond
from ml_jobs.registry.model import Model, load
from ml_jobs.scores.data import feature_columns, labelled_months, read_features_of, read_group_columns, read_labelled
from ml_jobs.scores.months import LabelledMonth
from ml_jobs.task_file import Task

MONTH = timedelta(31)  # how far the first figures look back for labels
ROWS = 100_000  # at most, evenly spread: more rows have the same drift
# Observed less expected rate; the limit is at least three standard errors, so that small months raise no alert.
CALIBRATION_GAP = 0.02
ESTIMATE_GAP = 0.05  # of the estimated area under the ROC curve; likewise


class RipeMonth(TypedDict):
    """Expected against observed rate of a scored month-end, and the ROC AUC if there are both outcomes."""

    as_of_date: date
    model_version: str
    rows: int
    positives: int
    observed: float
    expected: float
    promises: list[Promise]  # by part of the list
    group_gaps: list[Comparison]  # beside the bank's limits
    estimated_roc_auc: float  # by its probabilities alone, as it was said before there were outcomes
    roc_auc: NotRequired[float]


def write_monitoring(
    settings: Settings, task: Task, known: Known, model: Model, rows: Rows, margin: np.ndarray
) -> None:
    """Write the figures of the business date into the lake, and the request for a retraining if they demand one.

    Parameters
    ----------
    model : Model
        In use on the business date.
    rows : Rows
        The rows that it scores.
    margin : (n,) array
        Their margins.
    """
    spread = slice(None, None, -(-len(rows.customer) // ROWS))
    version, today = model.card["model_version"], known.business_date
    lines: list[_Line] = []
    drifts = feature_drift(model.card["reference"], model.columns, rows.values[spread], margin[spread])
    for drift in drifts:
        about = _About(feature=drift["feature"], model_version=version, measured_date=today)
        lines.append(_line(about, "stability_index", drift["stability_index"], ALERT))
        lines.append(_line(about, "missing_rise", drift["missing_rise"], MISSING_RISE))
    lines += _expected(task, model, rows, margin, _About(feature=SCORE, model_version=version, measured_date=today))
    lines += _unfair_in_use(task, model.card)
    if (today + timedelta(1)).day == 1:  # profiles of all customers are read once a month
        lines += _unfair_list(settings, task, model, rows, margin)
    lines += [*_refused(settings, task, known), *_came(settings, task, today)]
    _keep(settings, task, known, lines)


def write_refusal(settings: Settings, task: Task, known: Known) -> None:
    """Write the figures of a date on which nothing scores, since its challenger was refused for unfairness.

    Nothing is written where it was refused for something else.
    """
    refused = list(_refused(settings, task, known))
    if refused and not monitoring_path(settings, task.task, known).exists():
        _keep(settings, task, known, [*refused, *_came(settings, task, known.business_date)])


def _came(settings: Settings, task: Task, today: date) -> Iterator["_Line"]:
    """What came of the scores whose outcomes have become known, against what was promised."""
    for month in ripe_calibration(settings, task, today, _newly_ripe(settings, task, today)):
        about = _About(feature=SCORE, model_version=month["model_version"], measured_date=month["as_of_date"])
        error = sqrt(month["expected"] * (1 - month["expected"]) / month["rows"])
        gap = abs(month["observed"] - month["expected"])
        yield _line(about, "calibration_gap", gap, max(CALIBRATION_GAP, 3 * error))
        yield from (_promise_line(about, promise) for promise in month["promises"])
        yield from (_fairness_line(about, gap) for gap in month["group_gaps"])
        if month["positives"] >= task.minimum.test_positives and "roc_auc" in month:
            least = task.promotion.minimum_roc_auc
            yield _line(about, "roc_auc", month["roc_auc"], least, is_least=True)
            yield _estimate_line(about, month["estimated_roc_auc"], month["roc_auc"], month)


def _keep(settings: Settings, task: Task, known: Known, lines: list["_Line"]) -> None:
    """Write the lines of a date, and the request for a retraining where alerts of the score ask for one."""
    today = known.business_date
    alerts = [line for line in lines if line["is_alert"] and line["feature"].startswith(SCORE)]
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
    table = pa.Table.from_pylist([{**line, "as_of_date": today} for line in lines], MODEL_MONITORING.arrow_schema)
    with lake.appearing(monitoring_path(settings, task.task, known)) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def ripe_calibration(
    settings: Settings, task: Task, business_date: date, months: Iterable[LabelledMonth]
) -> list[RipeMonth]:
    """Expected against observed rates of those month-ends that were scored.

    None for a task with a treatment, whose effect on one customer is never observed, or with horizons, which end after
    the months that monitoring looks at.
    """
    if task.treatment or task.horizons:
        return []
    lines: list[RipeMonth] = []
    for month in months:
        path = score_path(settings, task.task, in_force(settings, task.task, Known.by(settings, month.as_of_date)))
        if not path.exists():
            continue
        columns = ["customer_key", "probability", "rank", "model_version"]
        scores = pq.read_table(path, columns=columns, partitioning=None)
        labels = read_labelled(settings, task, (), (month.as_of_date,), known_by=business_date)
        outcome = pa.table({"customer_key": labels.customer, "label": labels.label})
        both = scores.join(outcome, "customer_key", join_type="inner").sort_by("customer_key")
        customer, label, probability, rank = (
            both[name].to_numpy() for name in ("customer_key", "label", "probability", "rank")
        )
        version = scores["model_version"][0].as_py()
        quarters = load(settings.lake / "models" / task.task / version, settings.token_secret).card.get("quarters", {})
        line: RipeMonth = {
            "as_of_date": month.as_of_date,
            "model_version": version,
            "rows": len(label),
            "positives": int(label.sum()),
            "observed": float(label.mean()),
            "expected": float(probability.mean()),
            "promises": promises(task, label, -rank[None], probability[None], customer, quarters=quarters),
            "group_gaps": _group_gaps(settings, task, both, month.as_of_date),
            "estimated_roc_auc": expected_auc(probability),
        }
        if 0 < label.sum() < len(label):
            line["roc_auc"] = float(auc(label, probability, np.ones((1, len(label))))[0])
        lines.append(line)
    return lines


def _group_gaps(settings: Settings, task: Task, scored: pa.Table, as_of_date: date) -> list[Comparison]:
    """The surest gaps between groups of one scored day, by the table of their scores, ranks and outcomes."""
    if not task.fairness:
        return []
    customer, label, probability, rank = (
        scored[name].to_numpy() for name in ("customer_key", "label", "probability", "rank")
    )
    built = feature_columns(settings, task)
    told = tuple(name for name in task.fairness if name in built)
    rows = read_features_of(settings, task, told, as_of_date, set(customer))
    groups = read_group_columns(settings, tuple(task.fairness), rows)
    place = {key: position for position, key in enumerate(rows.customer)}
    at = np.array([place[key] for key in customer])
    found = {
        name: group_gaps(-rank, band_names(column[at], edges), customer, task.capacity[-1], (label, probability))
        for (name, edges), column in ((item, groups[item[0]]) for item in task.fairness.items())
    }
    return compared(found, fairness_limits(task))


def _unfair_in_use(task: Task, card: Card) -> Iterator["_Line"]:
    """How the model in use treats groups, by the rows that judged it, beside the limits of today."""
    if task.fairness and "group_gaps" in card:
        judged = date.fromisoformat(card["months"]["test"]["as_of_dates"][-1])
        about = _About(feature=SCORE, model_version=card["model_version"], measured_date=judged)
        yield from (_fairness_line(about, gap) for gap in compared(card["group_gaps"], fairness_limits(task)))


def _unfair_list(settings: Settings, task: Task, model: Model, rows: Rows, margin: np.ndarray) -> Iterator["_Line"]:
    """Whom the list of the day selects, by groups, before outcomes are known."""
    groups = read_group_columns(settings, tuple(task.fairness), rows)
    found = {
        name: group_gaps(margin, band_names(groups[name], edges), rows.customer, task.capacity[-1])
        for name, edges in task.fairness.items()
    }
    day = rows.as_of_date[0].item()
    about = _About(feature=SCORE, model_version=model.card["model_version"], measured_date=day)
    yield from (_fairness_line(about, gap) for gap in compared(found, fairness_limits(task)))


def _refused(settings: Settings, task: Task, known: Known) -> Iterator["_Line"]:
    """The gaps for which the newest challenger was refused."""
    known = in_force(settings, task.task, known)
    path = promotion_path(settings, task.task, known)
    decided: Decision | None = json.loads(path.read_text()) if path.exists() else None
    if decided and decided["champion"] != decided["challenger"]:
        challenger = _About(feature=SCORE, model_version=decided["challenger"], measured_date=known.trained_on)
        yield from (_fairness_line(challenger, gap) for gap in decided.get("unfair", []))


def _fairness_line(about: "_About", gap: Comparison) -> "_Line":
    """A gap between two groups of an attribute; an alert where its whole interval lies beyond the limit."""
    between: _About = {**about, "feature": f"{SCORE} {gap['attribute']} {gap['higher']} - {gap['lower']}"}
    return {
        **_line(between, gap["gap"], gap["value"], gap["limit"]),
        "is_alert": is_beyond(gap),
        "row_count": gap["rows"],
        "observed_low_rate": gap["low"],
        "observed_high_rate": gap["high"],
    }


def _newly_ripe(settings: Settings, task: Task, today: date) -> list[LabelledMonth]:
    """The month-ends whose labels have become ripe since the last date that has figures."""
    before = max((day for day in monitored_dates(settings, task.task) if day < today), default=today - MONTH)
    ripening = (today - timedelta(task.horizon_days + ago) for ago in range((today - before).days))
    if all(day.month == (day + timedelta(1)).month for day in ripening):
        return []  # as on most dates: no month-end becomes ripe, and the engine is not queried
    return [month for month in labelled_months(settings, task, today) if month.ripe_date > before]


class _About(TypedDict):
    """What a figure measures, of which model, and of which date."""

    feature: str
    model_version: str
    measured_date: date


class _Line(_About):
    measure: str
    value: float
    threshold: float
    is_alert: bool
    row_count: NotRequired[int]
    promised_rate: NotRequired[float]
    observed_rate: NotRequired[float]
    observed_low_rate: NotRequired[float]
    observed_high_rate: NotRequired[float]
    quarter_low_rate: NotRequired[float]
    quarter_high_rate: NotRequired[float]


def _expected(task: Task, model: Model, rows: Rows, margin: np.ndarray, about: _About) -> Iterator[_Line]:
    """What the day's scores are expected to be worth, of all customers and by segment; alarms of all of them only."""
    if task.treatment or task.horizons or not len(margin):
        return
    probability = model.probability(margin)
    least = task.promotion.minimum_roc_auc
    if not np.isnan(area := expected_auc(probability)):
        yield _line(about, "estimated_roc_auc", area, least, is_least=True)
    for name, edges in task.segments.items():
        if name not in rows.columns:
            continue
        bands = band_names(rows.column(name), edges).astype(str)
        for band in np.unique(bands):
            if not np.isnan(area := expected_auc(probability[bands == band])):
                of_band: _About = {**about, "feature": f"{SCORE} {name} {band}"}
                line = _line(of_band, "estimated_roc_auc", area, least, is_least=True)
                yield {**line, "is_alert": False, "row_count": int((bands == band).sum())}


def _estimate_line(about: _About, estimated: float, came: float, month: RipeMonth) -> _Line:
    """The estimate of before against what came; an alert where the interval of what came leaves it out by far."""
    interval = auc_interval(came, month["positives"], month["rows"] - month["positives"])
    reach = max(ESTIMATE_GAP, (interval.high - interval.low) / 2 * 3 / Z)
    return {
        **_line(about, "estimate_gap", abs(came - estimated), reach),
        "row_count": month["rows"],
        "promised_rate": estimated,
        "observed_rate": came,
        "observed_low_rate": interval.low,
        "observed_high_rate": interval.high,
    }


def _line(about: _About, measure: str, value: float, threshold: float, is_least: bool = False) -> _Line:
    is_alert = value < threshold if is_least else value > threshold
    return {**about, "measure": measure, "value": value, "threshold": threshold, "is_alert": is_alert}


def _promise_line(about: _About, line: Promise) -> _Line:
    """A part of the list; only the top decile raises an alert, since one part in twenty is off by chance."""
    gap = abs(line["promised"] - line["observed"])
    of_part = _line({**about, "feature": f"{SCORE} {line['part']}"}, "promise_gap", gap, limit(line))
    rates: _Line = {
        **of_part,
        "is_alert": alarms(line) and line["part"] == TOP,
        "row_count": line["rows"],
        "promised_rate": line["promised"],
        "observed_rate": line["observed"],
        "observed_low_rate": line["low"],
        "observed_high_rate": line["high"],
    }
    if "quarter_low" in line and "quarter_high" in line:
        rates["quarter_low_rate"], rates["quarter_high_rate"] = line["quarter_low"], line["quarter_high"]
    return rates
