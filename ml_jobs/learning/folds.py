"""Stratified, grouped folds, for rows without time."""

from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import StratifiedKFold

from ml_jobs.errors import CannotScore
from ml_jobs.learning.classifier import Part

SEED = 20240229
FEW_ROWS = 3_000  # below them every row takes its turn to calibrate, above them a fifth does


def parts(label: np.ndarray, groups: np.ndarray) -> tuple[Part, ...]:
    """Rows that fit and rows that calibrate, without time: every fold in turn if there are few rows, else one."""
    found = folds(label, groups, 5, SEED)
    return tuple(found if len(label) < FEW_ROWS else [next(found)])


def folds(label: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> Iterator[Part]:
    """Stratified by whether a group has a positive."""
    codes = np.unique(groups, return_inverse=True)[1]
    positive = np.zeros(codes.max() + 1, dtype=np.int8)
    np.maximum.at(positive, codes, label)
    if min(positive.sum(), (1 - positive).sum()) < folds:
        raise CannotScore(f"only {positive.sum()} of {len(positive)} groups have a positive: too few for {folds} folds")
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for _, judged in splitter.split(positive, positive):
        is_judged = np.isin(codes, judged)
        yield np.flatnonzero(~is_judged), np.flatnonzero(is_judged)
