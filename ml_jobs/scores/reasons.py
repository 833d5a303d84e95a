"""Why a customer has a high score, for people: features that say something, beside what similar customers have.

A feature becomes a reason if it pushes the score up, if the seed ``reason_phrases`` says that it means something to
people, if its value differs visibly from that of similar customers, and if the score would be lower with their value.
So the sentence that the warehouse makes of it (macro ``reason_sentence``) and the model say the same.

A feature that is measured against what is usual on the day is *said* by the column behind it (``said_by`` in the seed):
the model learns from 0.4 times the usual share of payments to shops, people hear 31 %. The two go up and down together
among customers of one kind and day.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from lakehouse.settings import PROJECT
from ml_jobs.learning.rows import Rows
from ml_jobs.learning.shapley import REASONS, shapley_values
from ml_jobs.registry.model import Model
from ml_jobs.task_file import said_by

KIND, TIER = "is_enterprise", "star_tier"  # similar is who shares these, as far as the feature table has them
LEAST_SIMILAR = 30  # a smaller group is joined by the next tiers of its kind
LEAST_DIFFERENCE_RATE = 0.1  # of the larger of value and comparison: what differs by less is no reason
TRIED = 6  # of each row's strongest features; those after them are weak
CHUNK = 5_000  # rows; bounds the memory

# What a unit shows: how many steps of it are in 1, as the macro `in_words` rounds.
STEPS = {
    "amount": 1,
    "share": 100,
    "ratio": 10,
    "count": 1,
    "days": 1,
    "months": 1,
    "years": 1,
    "tier": 1,
    "risk": 1,
    "yes_no": 100,
}


@dataclass(frozen=True)
class Reasons:
    """The reasons of n rows, strongest first; (n, REASONS) arrays."""

    codes: tuple[str, ...]  # per feature, the column that says it
    feature: np.ndarray  # position of the feature; -1 without a further reason
    value: np.ndarray  # of the column that says it
    reference: np.ndarray  # what similar customers have: the median, of a yes or no the share that has it


@dataclass(frozen=True)
class Rule:
    """What the seed says of a feature."""

    unit: str
    is_reason: bool
    capped_at: float  # values from here on are shown alike; infinite without a cap


@cache
def rules() -> dict[str, Rule]:
    """The seed's rule of each feature."""
    with (PROJECT / "dbt_project" / "seeds" / "reason_phrases.csv").open(encoding="utf-8") as file:
        return {
            line["reason_code"]: Rule(line["unit"], line["is_reason"] == "true", float(line["capped_at"] or "inf"))
            for line in csv.DictReader(file)
        }


def saying_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that say features of a model and are none of them.

    >>> saying_columns(("pos_txn_share_to_usual_180d", "has_rm"))
    ('pos_txn_share_180d',)
    """
    return tuple(code for name, code in zip(columns, _codes(columns), strict=True) if code != name)


@dataclass(frozen=True)
class Similar:
    """What similar customers have: the median (an observed value), of a yes or no the share of yes."""

    typical: np.ndarray  # (groups, columns); NaN where nobody has a value
    group: np.ndarray  # (n,) the group of each row

    @classmethod
    def of(cls, rows: Rows) -> "Similar":
        """The groups of a scored population, by kind and tier.

        Where few of a group have a value, those of the next tiers of the kind join them, tier by tier; where few of a
        kind have one, everybody.
        """
        nothing = np.zeros(len(rows.values))
        kind, tier = (rows.column(name) if name in rows.columns else nothing for name in (KIND, TIER))
        groups, group = np.unique(np.column_stack([kind, tier]), axis=0, return_inverse=True)
        is_flag = _is_flag(rows.columns)
        of_all, _ = _typical(rows.values, is_flag)
        typical = np.empty((len(groups), len(rows.columns)))
        for number, (of_kind, of_tier) in enumerate(groups):
            distance = np.where(kind == of_kind, np.abs(tier - of_tier), np.nan)
            is_open = np.ones(len(rows.columns), bool)
            typical[number] = of_all
            for reach in np.unique(distance[~np.isnan(distance)]):
                of_group, known = _typical(rows.values[distance <= reach], is_flag)
                is_enough = is_open & (known >= LEAST_SIMILAR)
                typical[number, is_enough] = of_group[is_enough]
                is_open &= ~is_enough
                if not is_open.any():
                    break
        return cls(typical, group.ravel())

    def reference(self, part: slice) -> np.ndarray:
        """(rows of the part, columns): what is typical of those who are similar."""
        return self.typical[self.group[part]]


def reasons(model: Model, rows: Rows, saying: Rows | None = None) -> Reasons:
    """The reasons for the scores of ``rows``, all rows of one as-of date: they are the population to compare with.

    Of a score of a treatment's effect they are reasons for the effect.

    Parameters
    ----------
    saying : Rows, optional
        The `saying_columns` of the same customers in the same order; without them every feature is said by itself.
    """
    said = rows if saying is None else replace(rows, columns=_codes(rows.columns), values=_said(rows, saying))
    similar, usual = Similar.of(said), _usual(rows, said)
    parts = []
    for start in range(0, len(rows.values), CHUNK):
        part = slice(start, start + CHUNK)
        heard, compared = said.values[part], similar.reference(part)
        values, reference = rows.values[part], compared / usual[part]
        is_shown = _is_shown(said.columns, heard, compared) & ((heard > compared) == (values > reference))
        feature = _chosen(model, values, reference, is_shown, rows.columns)
        place = np.maximum(feature, 0)
        named = (np.take_along_axis(array, place, axis=1) for array in (heard.astype(np.float64), compared))
        parts.append((feature, *(np.where(feature >= 0, array, np.nan) for array in named)))
    return Reasons(said.columns, *(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def are_lower_without(model: Model, values: np.ndarray, scored: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Of rows of the score table with their features, the reasons that are none: by column, as a rule none of a row.

    A reason must be a value of the features, and the score lower with what similar customers have in its place. Where
    another column says a feature, what similar customers have of the feature is not known: it is passed over.

    Parameters
    ----------
    values : (n, features) array
        In the order of the model.
    """
    margin, is_flag = model.margin(values), dict(zip(model.columns, _is_flag(model.columns), strict=True))
    wrong: list[list[str]] = [[] for _ in scored]
    changed, named = [], []
    for number, row in enumerate(scored):
        for place in range(1, REASONS + 1):
            code, value, reference = (row[f"reason_{place}_{part}"] for part in ("code", "value", "reference"))
            if code not in is_flag:
                continue
            position = model.columns.index(code)
            if np.float32(value) != values[number, position]:
                wrong[number].append(code)
                continue
            without = values[number].copy()
            without[position] = 1 - value if is_flag[code] else reference
            changed.append(without)
            named.append((number, code))
    if changed:
        is_lower = model.margin(np.array(changed)) < margin[[number for number, _ in named]]
        for (number, code), lower in zip(named, is_lower, strict=True):
            if not lower:
                wrong[number].append(code)
    return wrong


def _codes(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The column that says each feature."""
    said = said_by()
    return tuple(said.get(name, name) for name in columns)


def _said(rows: Rows, saying: Rows) -> np.ndarray:
    """(n, columns) values as people hear them."""
    values = rows.values.copy()
    for position, (name, code) in enumerate(zip(rows.columns, _codes(rows.columns), strict=True)):
        if code != name:
            values[:, position] = saying.column(code)
    return values


def _usual(rows: Rows, said: Rows) -> np.ndarray:
    """(n, columns) what people hear over what is learned, one for all of a kind; 1 where a feature says itself.

    So the comparison that people hear is the one that the model is asked about, also where it is everybody's.
    """
    usual = np.ones(rows.values.shape)
    kind = rows.column(KIND) if KIND in rows.columns else np.zeros(len(usual))
    for column in (place for place, name in enumerate(rows.columns) if said.columns[place] != name):
        heard, learned = said.values[:, column].astype(np.float64), rows.values[:, column]
        for of_kind in np.unique(kind):
            is_of = kind == of_kind
            known = is_of & (heard > 0) & ~np.isnan(learned)
            usual[is_of, column] = np.median(heard[known] / learned[known]) if known.any() else np.nan
    return usual


def _typical(values: np.ndarray, is_flag: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per column the lower median, of a flag the mean, NaN where all are missing; and how many are known."""
    typical, count = np.full(values.shape[1], np.nan), np.zeros(values.shape[1], int)
    for column in range(values.shape[1]):
        known = values[~np.isnan(values[:, column]), column].astype(np.float64)
        count[column] = len(known)
        if len(known):
            middle = (len(known) - 1) // 2
            typical[column] = known.mean() if is_flag[column] else np.partition(known, middle)[middle]
    return typical, count


def _is_flag(columns: tuple[str, ...]) -> np.ndarray:
    return np.array([name in rules() and rules()[name].unit == "yes_no" for name in columns])


def _is_shown(columns: tuple[str, ...], values: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Whether a sentence could say it: a feature that means something, with a value visibly unlike the comparison."""
    silent = Rule("count", is_reason=False, capped_at=np.inf)
    of_column = [rules().get(name, silent) for name in columns]
    steps = np.array([STEPS[rule.unit] for rule in of_column])
    cap = np.array([rule.capped_at for rule in of_column])
    shown, compared = (
        np.floor(np.minimum(array.astype(np.float64), cap) * steps + 0.5) for array in (values, reference)
    )
    least = LEAST_DIFFERENCE_RATE * np.maximum(np.abs(values), np.abs(reference))
    # a missing value is unequal to everything, but its difference is not at least anything
    return (shown != compared) & (np.abs(values - reference) >= least) & [rule.is_reason for rule in of_column]


def _chosen(
    model: Model, values: np.ndarray, reference: np.ndarray, is_shown: np.ndarray, columns: tuple[str, ...]
) -> np.ndarray:
    """(n, REASONS) positions of the features to name, -1 where there are fewer."""
    contribution = _contributions(model, values)
    push = np.where(is_shown, np.maximum(contribution, 0), 0)
    margin = model.margin(values)
    is_flag = _is_flag(columns)
    chosen, count = np.full((len(values), REASONS), -1), np.zeros(len(values), int)
    ranked = np.argsort(-push, axis=1, kind="stable")[:, :TRIED]
    for start in range(0, TRIED, REASONS):
        # as many at once as are wanted, and again only for those who lack one: a call costs more than its rows
        tried = ranked[:, start : start + REASONS]
        row, place = np.nonzero((np.take_along_axis(push, tried, axis=1) > 0) & (count < REASONS)[:, None])
        if not len(row):
            break
        feature, changed = tried[row, place], values[row]
        instead = np.where(is_flag[feature], 1 - values[row, feature], reference[row, feature])
        changed[np.arange(len(row)), feature] = instead
        is_lower = model.margin(changed) < margin[row]
        for number in range(tried.shape[1]):
            named = row[is_lower & (place == number)]
            named = named[count[named] < REASONS]
            chosen[named, count[named]] = tried[named, number]
            count[named] += 1
    return chosen


def _contributions(model: Model, values: np.ndarray) -> np.ndarray:
    """Shapley values of the margin; of an effect, those of the risk without the treatment less those with it."""
    contribution, _ = shapley_values(model.candidate.estimator, values)
    if model.treated is None:
        return contribution
    return contribution - shapley_values(model.treated.estimator, values)[0]
