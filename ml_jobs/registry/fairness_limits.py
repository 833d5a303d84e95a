"""The bank's limits of fairness: how far a score may treat groups of people differently, and what happens beyond."""

from collections.abc import Mapping
from typing import Literal, TypedDict, get_args

from lakehouse.language import ENGLISH
from lakehouse.warehouse.seeds import load_seeds
from ml_jobs.errors import CannotScore
from ml_jobs.learning.fairness import Gap, GroupGap
from ml_jobs.task_file import Task

SEED = "fairness_limits"
# What happens besides that a model beyond a limit is not promoted, raises an alert and is a finding: nothing; the
# actions of the score that is in use are withheld; the list is cut without the features that tell the groups apart.
Remedy = Literal["refuse", "withhold", "without_proxies"]
COLUMNS: dict[Gap, str] = {
    "selection_gap": "largest_selection_gap",
    "found_gap": "largest_found_gap",
    "calibration_gap_of_groups": "largest_calibration_gap",
}


class Limit(TypedDict):
    """Of one score and attribute: the largest difference of each kind between two groups, and the remedy."""

    largest: dict[Gap, float]
    remedy: Remedy


class Comparison(GroupGap):
    """A gap between two groups of an attribute beside its limit; it passes the limit where even ``low`` does."""

    attribute: str
    limit: float
    remedy: Remedy


class Unfairness(TypedDict):
    """What a card says of a model that was fitted anew, since the one with all features was beyond a limit."""

    proxies: dict[str, float]  # features that were left out: ROC AUC by which they tell a group from the others
    before: list[Comparison]  # of the model with all features
    roc_auc_before: float


def fairness_limits(task: Task) -> dict[str, Limit]:
    """The limits of a score, by the attribute that its task file compares.

    Raises
    ------
    CannotScore
        If an attribute has no row in the seed, more than one, or one that cannot be read; or a row names an attribute
        that the task does not compare, as a misspelt one does.
    """
    seed = load_seeds()[SEED]
    rows = [row for row in seed.rows() if row["model"] == task.task]
    named = [row["attribute"] for row in rows]
    place = f"dbt_project/seeds/{seed.path.name}"
    for attribute in task.fairness:
        if named.count(attribute) != 1:
            raise CannotScore(f"{place} needs one row for {task.task} and {attribute}: how far groups may differ")
    if unknown := [name for name in named if name not in task.fairness]:
        raise CannotScore(f"{place} names {', '.join(unknown)}, which {task.task} does not compare: see `fairness`")
    return {row["attribute"]: _limit(row, place) for row in rows}


def _limit(row: Mapping[str, str], place: str) -> Limit:
    about = f"{place}, {row['model']} and {row['attribute']}"
    largest: dict[Gap, float] = {}
    for gap, column in COLUMNS.items():
        try:
            largest[gap] = float(row[column])
        except ValueError:
            raise CannotScore(f"{about}: {column} is no number") from None
        if not 0 <= largest[gap] <= 1:
            raise CannotScore(f"{about}: {column} must be a share, 0 to 1")
    for remedy in get_args(Remedy):
        if row["remedy"] == remedy:
            return {"largest": largest, "remedy": remedy}
    raise CannotScore(f"{about}: remedy must be one of {', '.join(get_args(Remedy))}")


def compared(group_gaps: Mapping[str, list[GroupGap]], limits: Mapping[str, Limit]) -> list[Comparison]:
    """Every gap of the attributes beside its limit."""
    return [
        {**gap, "attribute": attribute, "limit": limit["largest"][gap["gap"]], "remedy": limit["remedy"]}
        for attribute, limit in limits.items()
        for gap in group_gaps.get(attribute, [])
    ]


def is_beyond(gap: Comparison) -> bool:
    """Whether a gap is larger than its limit, and chance does not explain it."""
    return gap["low"] > gap["limit"]


def beyond(group_gaps: Mapping[str, list[GroupGap]], limits: Mapping[str, Limit]) -> list[Comparison]:
    """The gaps that are larger than their limit, by more than chance explains."""
    return [gap for gap in compared(group_gaps, limits) if is_beyond(gap)]


def said(gap: Comparison) -> str:
    """What a gap beyond its limit is, for cards, decisions and abstentions.

    >>> said({"gap": "found_gap", "higher": "M", "lower": "F", "rows": 90, "higher_rate": 0.6, "lower_rate": 0.2,
    ...     "value": 0.4, "low": 0.21, "high": 0.58, "attribute": "gender", "limit": 0.15, "remedy": "refuse"})
    'gender: M 60.0 %, F 20.0 % of those with the outcome found; at least 21.0 points apart, and the limit is 15.0'
    """
    texts: dict[Gap, str] = {
        "selection_gap": "{attribute}: {higher} {higher_rate} %, {lower} {lower_rate} % chosen by the list; at least "
        "{low} points apart, and the limit is {limit}",
        "found_gap": "{attribute}: {higher} {higher_rate} %, {lower} {lower_rate} % of those with the outcome found; "
        "at least {low} points apart, and the limit is {limit}",
        "calibration_gap_of_groups": "{attribute}: {higher} {higher_rate}, {lower} {lower_rate} points above what was "
        "promised; at least {low} points apart, and the limit is {limit}",
    }
    figures = {name: f"{100 * gap[name]:.1f}" for name in ("higher_rate", "lower_rate", "low", "limit")}
    names = {name: gap[name] for name in ("attribute", "higher", "lower")}
    return ENGLISH(texts[gap["gap"]], **names, **figures)
