"""The model card as one HTML page: what the model is for, what it is worth, and where it must not be trusted."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from lakehouse.pages import environment

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
    "rule": "One-line rule",
    "base_rate": "Base rate",
    "oracle": "Oracle",
    "risk": "Ranked by risk",
    "one_risk": "One risk, moved by the treatment",
    "two_risks": "One risk for each arm",
}
SIZE, MARGIN = 300, 42  # of the plot, in pixels


def html(card: dict[str, Any]) -> str:
    """The page for a model's card or an evaluation's report."""
    plot = (
        qini_plot(card["qini_curve"]) if "qini_curve" in card else calibration_plot(card.get("calibration_curve", []))
    )
    templates = environment(TEMPLATE.parent)
    templates.filters |= {"bounds": bounds, "figure": figure, "percent": percent}
    lifts = [name for name in card["figures"]["model"] if name.startswith("lift")]
    precisions = [name for name in card["figures"]["model"] if name.startswith("precision")]
    names = FIGURES | {name: f"Lift, top {name.split('_')[1]}" for name in lifts}
    names |= {name: f"Precision, top {name.split('_')[1]}" for name in precisions}
    names = {name: told for name, told in names.items() if any(found.get(name) for found in card["figures"].values())}
    return templates.get_template(TEMPLATE.name).render(card=card, names=names, scores=SCORES, plot=plot)


def figure(value: dict[str, float] | None) -> str:
    """A figure with its interval."""
    return "–" if not value else f"{value['value']:.3f} ({bounds(value)})"


def bounds(value: dict[str, float]) -> str:
    """The interval of a figure."""
    return f"{value['low']:.3f}–{value['high']:.3f}"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def calibration_plot(curve: list[dict[str, float]]) -> Markup:
    """Observed against expected rate as SVG; on the diagonal the probability can be taken at its word."""
    most = min(1.0, 1.08 * max([*(point["high"] for point in curve), *(point["expected"] for point in curve), 1e-6]))

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
    line = " ".join(f"{x(point['expected']):.1f},{y(point['observed']):.1f}" for point in curve)
    marks.append(f'<polyline points="{line}"/>')
    for point in curve:
        at = f"{x(point['expected']):.1f}"
        marks.append(
            f'<line class="reach" x1="{at}" x2="{at}" y1="{y(point["low"]):.1f}" y2="{y(point["high"]):.1f}"/>'
        )
        marks.append(
            f'<circle cx="{at}" cy="{y(point["observed"]):.1f}" r="4"><title>{point["rows"]:,.0f} rows: expected '
            f"{point['expected']:.2%}, observed {point['observed']:.2%}</title></circle>"
        )
    marks.append(f'<text x="{(SIZE + MARGIN) / 2}" y="{SIZE - 6}" text-anchor="middle">expected</text>')
    marks.append(f'<text transform="translate(11 {SIZE / 2 - 16}) rotate(-90)" text-anchor="middle">observed</text>')
    return Markup(f'<svg viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="Calibration plot">{"".join(marks)}</svg>')


def qini_plot(curve: list[dict[str, float]]) -> Markup:
    """Outcomes prevented against the share of the customers treated, the best first, as SVG, beside a random order."""
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
    return Markup(f'<svg viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="Qini curve">{marks}</svg>')
