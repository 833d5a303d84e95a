"""The model card: its content, and the HTML page that shows what a model is for, how good it is, and its limits."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NotRequired, TypedDict

from markupsafe import Markup

from lakehouse.language import ENGLISH, NAMES, Language, Voice, words
from lakehouse.pages import environment
from ml_jobs.learning.calibration import Promise, verdict
from ml_jobs.learning.classifier import Parameters
from ml_jobs.learning.drift import Distribution
from ml_jobs.learning.evaluation import GroupFigures, Rule
from ml_jobs.learning.fairness import LEAST_ROWS, GroupGap
from ml_jobs.learning.metrics import Figure
from ml_jobs.learning.quarters import QuarterSpread
from ml_jobs.learning.scorecard import Points, band_text
from ml_jobs.learning.shapley import Importance
from ml_jobs.learning.survival import HorizonFigures
from ml_jobs.learning.uplift import QiniPoint
from ml_jobs.registry.fairness_limits import Limit, Unfairness, compared, is_beyond, said
from ml_jobs.task_file import task_said

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
    "scorecard_unbound": "Scorecard, no value unbound",
    "rule": "One-line rule",
    "base_rate": "Base rate",
    "oracle": "Oracle",
    "risk": "Ranked by risk",
    "one_risk": "One risk, moved by the treatment",
    "two_risks": "One risk for each arm",
}
PAGES: dict[Language, str] = {"en": "card.html", "zh": "card_zh.html"}
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
    quarters: dict[str, QuarterSpread]  # by part of the list; without those of too few quarters
    qini_curve: list[QiniPoint]
    horizons: list[HorizonFigures]
    line: tuple[float, ...]  # coefficients of a survival model
    by_month: list[GroupFigures]
    segments: dict[str, list[GroupFigures]]
    fairness: dict[str, list[GroupFigures]]
    group_gaps: dict[str, list[GroupGap]]  # by column; cards of older models lack them
    fairness_limits: dict[str, Limit]  # by column: the bank's, as they were when it was trained
    unfairness: Unfairness  # of the model in whose place this one was fitted without proxies
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


def pages(card: Card) -> dict[str, str]:
    """The page of a model's card in each language, by the name of its file; each leads to the other."""
    return {
        name: html(card, language, links=[(other, code, PAGES[code])])
        for language, name in PAGES.items()
        for code, other in NAMES.items()
        if code != language
    }


def html(card: Card, language: Language = "en", links: Sequence[tuple[str, Language, str]] = ()) -> str:
    """The page for a model's card or an evaluation's report."""
    say, promises = Voice(language), card.get("promises", [])
    plot = qini_plot(card["qini_curve"], say) if "qini_curve" in card else calibration_plot(promises, say)
    templates = environment(TEMPLATE.parent)
    templates.filters |= {"bounds": bounds, "figure": figure, "percent": percent, "verdict": verdict}
    templates.filters |= {"is_beyond": is_beyond, "said": said}
    gaps = compared(card.get("group_gaps", {}), card.get("fairness_limits", {}))
    lifts = [name for name in card["figures"]["model"] if name.startswith("lift")]
    precisions = [name for name in card["figures"]["model"] if name.startswith("precision")]
    names = {name: say(text) for name, text in FIGURES.items()}
    names |= {name: say("Lift, top {share}", share=name.split("_")[1]) for name in lifts}
    names |= {name: say("Precision, top {share}", share=name.split("_")[1]) for name in precisions}
    names = {
        name: text for name, text in names.items() if any(figures.get(name) for figures in card["figures"].values())
    }
    return templates.get_template(TEMPLATE.name).render(
        card=card,
        title=task_said(card["task_name"], say),
        names=names,
        plot=plot,
        say=say,
        language=language,
        links=links,
        score=lambda name: say(SCORES.get(name, name)),
        features={item["feature"]: item[language] or item["en"] for item in card.get("importance", [])},
        band_text=band_text,
        limited={(gap["attribute"], gap["gap"]): gap for gap in gaps},
        least_rows=LEAST_ROWS,
        part=partial(part_said, say=say),
        group=partial(group_said, say=say),
    )


def group_said(column: str, group: str, say: Voice) -> str:
    """A group of rows, by the column that tells them apart.

    >>> group_said("has_rm", "1", Voice()), group_said("gender", "F", Voice("zh")), group_said("city", "x y", Voice())
    ('yes', '女', 'x y')
    """
    if column.startswith(("has_", "is_")) and group in ("0", "1"):
        return say("yes") if group == "1" else say("no")
    return say.name(group) if group in words("names") else say.code(group)


def part_said(part: str, say: Voice) -> str:
    """A part of the list.

    >>> part_said("decile 1", Voice("zh")), part_said("top 5%", Voice()), part_said("band high", Voice("zh"))
    ('第 1 十分位', 'top 5%', '等级：高')
    """
    kind, _, number = part.partition(" ")
    if kind == "decile":
        return say("decile {number}", number=number)
    if kind == "band":
        return say("band {name}", name=say.code(number))
    return say("top {share}", share=number) if kind == "top" else say.code(part)


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


def calibration_plot(lines: list[Promise], say: Voice = ENGLISH) -> Markup:
    """Observed against promised share of each decile as SVG; on the diagonal the probability is calibrated."""
    deciles = [line for line in lines if line["part"].startswith("decile")]
    highest = (max(line["promised"], line.get("quarter_high", line["high"])) for line in deciles)
    most = min(1.0, 1.08 * max([*highest, 1e-6]))

    def x(rate: float) -> float:
        return MARGIN + (SIZE - MARGIN - 20) * rate / most

    def y(rate: float) -> float:
        return SIZE - MARGIN - (SIZE - MARGIN - 20) * rate / most

    def tip(line: Promise) -> str:
        shares = {"promised": f"{line['promised']:.2%}", "observed": f"{line['observed']:.2%}"}
        rows = f"{line['rows']:,}"
        return say(
            "{part}, {rows} rows: promised {promised}, observed {observed}",
            part=part_said(line["part"], say),
            rows=rows,
            **shares,
        )

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
        if "quarter_low" in line and "quarter_high" in line:
            low, high = y(line["quarter_low"]), y(line["quarter_high"])
            marks.append(f'<line class="reach quarter" x1="{at}" x2="{at}" y1="{low:.1f}" y2="{high:.1f}"/>')
        marks.append(f'<line class="reach" x1="{at}" x2="{at}" y1="{y(line["low"]):.1f}" y2="{y(line["high"]):.1f}"/>')
        marks.append(f'<circle cx="{at}" cy="{y(line["observed"]):.1f}" r="4"><title>{tip(line)}</title></circle>')
    marks.append(f'<text x="{(SIZE + MARGIN) / 2}" y="{SIZE - 6}" text-anchor="middle">{say("promised")}</text>')
    marks.append(f'<text x="4" y="12">{say("observed")}</text>')
    return _drawn(say("Calibration plot"), "".join(marks))


def qini_plot(curve: list[QiniPoint], say: Voice = ENGLISH) -> Markup:
    """Outcomes prevented against the share of customers treated, highest uplift first, as SVG, beside random order."""
    heights = [point["prevented"] for point in curve]
    low, high = min(0.0, *heights), max(1e-6, *heights)

    def place(share: float, prevented: float) -> str:
        height = SIZE - MARGIN - (SIZE - MARGIN - 20) * (prevented - low) / (high - low)
        return f"{MARGIN + (SIZE - MARGIN - 20) * share:.1f},{height:.1f}"

    line = " ".join(place(point["share"], point["prevented"]) for point in curve)
    marks = f'<polyline class="diagonal" points="{place(0, 0)} {place(1, heights[-1])}"/><polyline points="{line}"/>'
    marks += f'<text x="4" y="16">{say("{share} of the treated kept", share=f"{high:.2%}")}</text>'
    share = say("share of the customers treated")
    marks += f'<text x="{(SIZE + MARGIN) / 2}" y="{SIZE - 6}" text-anchor="middle">{share}</text>'
    return _drawn(say("Qini curve"), marks)


def _drawn(title: str, marks: str) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="{title}"><title>{title}</title>{marks}</svg>'
    )
