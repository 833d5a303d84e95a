"""The model card: its content, and the HTML page that shows what a model is for, how good it is, and its limits."""

from collections.abc import Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

from markupsafe import Markup

from lakehouse.language import ENGLISH
from lakehouse.pages import environment
from ml_jobs.learning.calibration import Promise, is_off
from ml_jobs.learning.classifier import Parameters
from ml_jobs.learning.drift import Distribution
from ml_jobs.learning.evaluation import GroupFigures, Rule
from ml_jobs.learning.fairness import FairnessGaps
from ml_jobs.learning.metrics import Figure
from ml_jobs.learning.scorecard import Points
from ml_jobs.learning.shapley import Importance
from ml_jobs.learning.survival import HorizonFigures
from ml_jobs.learning.uplift import QiniPoint

TEMPLATE = Path(__file__).with_name("card.html.j2")
FIGURES = {
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "brier": "Brier score",
    "log_loss": "Log loss",
    "calibration_slope": "Calibration slope",
    "calibration_error": "Calibration error",
    "qini": "Qini, normalised",
    "concordance": "Concordance",
}
SCORES = {
    "model": "This model",
    "hist_gradient_boosting": "Boosted trees",
    "logistic_regression": "Logistic regression",
    "scorecard": "Scorecard",
    "rule": "One-line rule",
    "base_rate": "Base rate",
    "oracle": "Oracle",
    "risk": "Ranked by risk",
    "one_risk": "One risk, moved by the treatment",
    "two_risks": "One risk for each arm",
}
SIZE, MARGIN = 300, 42  # of the plot, in pixels


class Months(TypedDict):
    """Labelled month-ends, and how many rows and positives they have together."""

    as_of_dates: list[str]
    rows: int
    positives: int


class Leak(TypedDict):
    """A feature that gives the outcome away, with its ROC AUC alone."""

    feature: str
    roc_auc: float
    why: str


class EncodedColumn(TypedDict):
    """How a column of a user's table becomes numbers; see `encoding.Column`."""

    name: str
    kind: str
    levels: Sequence[str]
    writing: NotRequired[str]  # what later rows are held against; cards of older models lack these
    unit: NotRequired[str]
    unreadable: NotRequired[float]
    missing: NotRequired[float]
    seen: NotRequired[Sequence[str]]


class Card(TypedDict, total=False):
    """What ``card.json`` holds. Which keys there are depends on the kind of the model; docs/MODELS.md explains them."""

    task: dict[str, object]  # the task file, as it was
    task_name: str
    data: str
    model: str
    model_name: str
    model_version: str
    model_sha256: str
    feature_version: str
    features: Sequence[str]
    encoding: list[EncodedColumn]  # of a user's table
    chosen: Parameters
    why: str
    calibration: str
    split: str
    months: dict[str, Months]  # by part: fit, validation, development, test
    customers_sampled: float
    rows: int
    rows_that_judge: int
    positives: int
    base_rate: float
    treated: int
    average_effect: Figure
    figures: dict[str, dict[str, Figure]]  # by score and metric
    figures_with_leaks: dict[str, Figure]
    before_calibration: dict[str, Figure]
    promises: list[Promise]  # by part of the list
    qini_curve: list[QiniPoint]
    horizons: list[HorizonFigures]
    line: tuple[float, ...]  # coefficients of a survival model
    by_month: list[GroupFigures]
    segments: dict[str, list[GroupFigures]]
    fairness: dict[str, list[GroupFigures]]
    fairness_gaps: dict[str, FairnessGaps | None]
    rule: Rule
    leaks: list[Leak]
    suspects: list[Leak]
    dropped: dict[str, str]  # column: why
    notes: list[str]
    warnings: list[str]
    single_feature_roc_auc: dict[str, float]
    capacity: Sequence[float]
    importance: list[Importance]
    points: Points  # of the scorecard
    gini_above_scorecard: dict[str, Figure]  # by model: Gini coefficient less the scorecard's
    limits: list[str]
    reference: dict[str, Distribution]
    libraries: dict[str, str]


def html(card: Card) -> str:
    """The page for a model's card or an evaluation's report."""
    plot = qini_plot(card["qini_curve"]) if "qini_curve" in card else calibration_plot(card.get("promises", []))
    templates = environment(TEMPLATE.parent)
    templates.filters |= {"bounds": bounds, "figure": figure, "is_off": is_off, "percent": percent}
    lifts = [name for name in card["figures"]["model"] if name.startswith("lift")]
    precisions = [name for name in card["figures"]["model"] if name.startswith("precision")]
    names = FIGURES | {name: f"Lift, top {name.split('_')[1]}" for name in lifts}
    names |= {name: f"Precision, top {name.split('_')[1]}" for name in precisions}
    names = {
        name: text for name, text in names.items() if any(figures.get(name) for figures in card["figures"].values())
    }
    return templates.get_template(TEMPLATE.name).render(card=card, names=names, scores=SCORES, plot=plot, say=ENGLISH)


def figure(value: Figure | None) -> str:
    """A figure with its interval.

    >>> figure({"value": 0.75, "low": 0.7, "high": 0.8})
    '0.750 (0.700–0.800)'
    """
    return "–" if not value else f"{value['value']:.3f} ({bounds(value)})"


def bounds(value: Figure) -> str:
    """The interval of a figure."""
    return f"{value['low']:.3f}–{value['high']:.3f}"


def percent(share: float | None) -> str:
    """A share with one decimal."""
    return "–" if share is None else f"{share:.1%}"


def calibration_plot(lines: list[Promise]) -> Markup:
    """Observed against promised share of each decile as SVG; on the diagonal the probability is calibrated."""
    deciles = [line for line in lines if line["part"].startswith("decile")]
    most = min(1.0, 1.08 * max([*(line["high"] for line in deciles), *(line["promised"] for line in deciles), 1e-6]))

    def x(rate: float) -> float:
        return MARGIN + (SIZE - MARGIN - 20) * rate / most

    def y(rate: float) -> float:
        return SIZE - MARGIN - (SIZE - MARGIN - 20) * rate / most

    marks = [f'<line class="diagonal" x1="{x(0):.1f}" y1="{y(0):.1f}" x2="{x(most):.1f}" y2="{y(most):.1f}"/>']
    for step in range(5):
        rate = most * step / 4
        marks.append(f'<line class="grid" x1="{x(0):.1f}" x2="{x(most):.1f}" y1="{y(rate):.1f}" y2="{y(rate):.1f}"/>')
        marks.append(f'<text x="{x(rate):.1f}" y="{SIZE - MARGIN + 16}" text-anchor="middle">{rate:.0%}</text>')
        marks.append(f'<text x="{MARGIN - 6}" y="{y(rate) + 4:.1f}" text-anchor="end">{rate:.0%}</text>')
    points = " ".join(f"{x(line['promised']):.1f},{y(line['observed']):.1f}" for line in deciles)
    marks.append(f'<polyline points="{points}"/>')
    for line in deciles:
        at = f"{x(line['promised']):.1f}"
        marks.append(f'<line class="reach" x1="{at}" x2="{at}" y1="{y(line["low"]):.1f}" y2="{y(line["high"]):.1f}"/>')
        marks.append(
            f'<circle cx="{at}" cy="{y(line["observed"]):.1f}" r="4"><title>{line["part"]}, {line["rows"]:,} rows: '
            f"promised {line['promised']:.2%}, observed {line['observed']:.2%}</title></circle>"
        )
    marks.append(f'<text x="{(SIZE + MARGIN) / 2}" y="{SIZE - 6}" text-anchor="middle">promised</text>')
    marks.append(f'<text transform="translate(11 {SIZE / 2 - 16}) rotate(-90)" text-anchor="middle">observed</text>')
    return _drawn("Calibration plot", "".join(marks))


def qini_plot(curve: list[QiniPoint]) -> Markup:
    """Outcomes prevented against the share of customers treated, highest uplift first, as SVG, beside random order."""
    heights = [point["prevented"] for point in curve]
    low, high = min(0.0, *heights), max(1e-6, *heights)

    def place(share: float, prevented: float) -> str:
        height = SIZE - MARGIN - (SIZE - MARGIN - 20) * (prevented - low) / (high - low)
        return f"{MARGIN + (SIZE - MARGIN - 20) * share:.1f},{height:.1f}"

    line = " ".join(place(point["share"], point["prevented"]) for point in curve)
    marks = f'<polyline class="diagonal" points="{place(0, 0)} {place(1, heights[-1])}"/><polyline points="{line}"/>'
    marks += f'<text x="4" y="16">{high:.2%} of the treated kept</text>'
    marks += (
        f'<text x="{(SIZE + MARGIN) / 2}" y="{SIZE - 6}" text-anchor="middle">share of the customers treated</text>'
    )
    return _drawn("Qini curve", marks)


def _drawn(title: str, marks: str) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="{title}"><title>{title}</title>{marks}</svg>'
    )
