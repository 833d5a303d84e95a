"""Stratified folds that keep groups together, for rows without an as-of date."""

import sys
from collections.abc import Iterator
from itertools import islice

import numpy as np
from sklearn.model_selection import StratifiedKFold

from ml_jobs.errors import CannotScore
from ml_jobs.learning import SEED

Fold = tuple[np.ndarray, np.ndarray]  # rows to fit, rows to validate

FEW_ROWS = 3_000  # with fewer every row validates in turn, with more a fifth of them does
VALIDATION_FOLDS = 5
# Cross-fitting, of which each turn is a fit: below so many rows, how many folds, and how many of them take their turn.
# Models of half of the rows rank worse than the one that scores, so that the top would be promised too little. Of many
# rows what comes is known closely, and the chance of a quarter would be as large: everybody takes a turn.
TURNS = ((6_000, 5, 5), (60_000, 4, 2), (sys.maxsize, 4, 4))


def validation_folds(label: np.ndarray, groups: np.ndarray) -> tuple[Fold, ...]:
    """Rows to fit and rows to validate, without time: every fold in turn if there are few rows, otherwise one."""
    folds = stratified_folds(label, groups, VALIDATION_FOLDS, SEED)
    return tuple(folds if len(label) < FEW_ROWS else [next(folds)])


def turns(label: np.ndarray, groups: np.ndarray) -> Iterator[Fold]:
    """Rows to fit, and rows of other groups, on which a model that has not seen them is calibrated.

    Every group is held out once; of some ten thousand rows half of them, whose chance hides in that of what comes.
    """
    folds, taken = next((folds, taken) for rows, folds, taken in TURNS if len(label) < rows)
    return islice(stratified_folds(label, groups, folds, SEED), taken)


def stratified_folds(label: np.ndarray, groups: np.ndarray, count: int, seed: int) -> Iterator[Fold]:
    """Folds stratified by whether a group has a positive; the rows of a group share one fold.

    Parameters
    ----------
    label : (n,) array of 0 and 1
    groups : (n,) array
    count : int
        How many folds.

    Raises
    ------
    CannotScore
        If there are fewer groups with, or without, a positive than folds.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    positive = np.zeros(codes.max() + 1, dtype=np.int8)
    np.maximum.at(positive, codes, label)
    if min(positive.sum(), (1 - positive).sum()) < count:
        raise CannotScore(f"only {positive.sum()} of {len(positive)} groups have a positive: too few for {count} folds")
    splitter = StratifiedKFold(count, shuffle=True, random_state=seed)
    for _, held_out in splitter.split(positive, positive):
        is_held_out = np.isin(codes, held_out)
        yield np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
