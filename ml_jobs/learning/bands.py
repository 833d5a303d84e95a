"""Bands of a list: shares of it, from the top."""

import numpy as np

from ml_jobs.task_file import Bands


def bands_of(bands: Bands, rank: np.ndarray, count: int) -> np.ndarray:
    """The band of each rank, 1 being the highest, on a list of ``count`` rows.

    >>> bands_of(Bands(high=0.1, medium=0.5), np.array([1, 2, 5, 6]), 10).tolist()
    ['high', 'medium', 'medium', 'low']
    """
    return np.select([rank <= bands.high * count, rank <= bands.medium * count], ["high", "medium"], "low")
