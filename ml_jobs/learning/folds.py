"""Folds: stratified ones that keep groups together, and those on which a model of several dates is calibrated."""

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
# Models of half of the rows rank worse than the one that scores, so that the top would be promised too little.
TURNS = ((6_000, 5, 5), (60_000, 4, 2), (sys.maxsize, 4, 1))

BLOCK = 3  # dates that are held out of a customer together, at least
FEW_TO_CALIBRATE = 6_000  # with fewer rows each is held out once, with more a part of them is enough


def validation_folds(label: np.ndarray, groups: np.ndarray) -> tuple[Fold, ...]:
    """Rows to fit and rows to validate, without time: every fold in turn if there are few rows, otherwise one."""
    folds = stratified_folds(label, groups, VALIDATION_FOLDS, SEED)
    return tuple(folds if len(label) < FEW_ROWS else [next(folds)])


def turns(label: np.ndarray, groups: np.ndarray) -> Iterator[Fold]:
    """Rows to fit, and rows of other groups, on which a model that has not seen them is calibrated.

    Of few rows every group is held out once; of many, half of them, or a quarter, are enough.
    """
    folds, taken = next((folds, taken) for rows, folds, taken in TURNS if len(label) < rows)
    return islice(stratified_folds(label, groups, folds, SEED), taken)


def calibration_folds(label: np.ndarray, groups: np.ndarray, day: np.ndarray, horizon_days: int) -> tuple[Fold, ...]:
    """Rows to fit, and rows on which that model is calibrated: at dates that are new to it, of customers who are not.

    So is a model used. It knows most of the customers whom it scores from earlier dates, and what is lasting in them;
    customers whom it has never seen it ranks worse, and the top of their list would be promised too little. So of half
    of the customers a block of dates is held out, drawn for each, and their rows are left out of the fit whose outcomes
    overlap with it. The other half keeps all dates in the fit.

    Parameters
    ----------
    label : (n,) array of 0 and 1
    groups : (n,) array
        The customer of each row.
    day : (n,) array of datetime64[D]
    horizon_days : int
        Days until the outcome of a row is known.
    """
    dates = np.unique(day)
    if len(dates) < 2 * BLOCK:  # too few to leave some out
        return tuple(turns(label, groups))
    blocks = np.array_split(dates, len(dates) // BLOCK)
    codes = np.unique(groups, return_inverse=True)[1]
    lot = np.random.default_rng(SEED).integers(len(blocks), size=codes.max() + 1)[codes]
    horizon = np.timedelta64(horizon_days, "D")
    halves = [held_out for _, held_out in stratified_folds(label, groups, 2, SEED)]
    folds = []
    for turn in range(len(blocks) if len(label) < FEW_TO_CALIBRATE else 1):
        first, last = (np.array([block[end] for block in blocks])[(lot + turn) % len(blocks)] for end in (0, -1))
        for half in halves:
            is_half = np.isin(np.arange(len(label)), half)
            is_held_out = is_half & (day >= first) & (day <= last)
            overlaps = is_half & (day > first - horizon) & (day < last + horizon)
            folds.append((np.flatnonzero(~overlaps), np.flatnonzero(is_held_out)))
    return tuple(folds)


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
