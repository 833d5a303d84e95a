"""Sums of series by branch and by product family, and forecasts made to add up over them."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

LEVELS = ("bank", "family", "branch", "branch_family")
ALL = "all"  # in place of a branch or family that is summed over
LEAST_VARIANCE = 1e-4  # beside the mean variance: a series that never moved must not weigh infinitely


@dataclass(frozen=True)
class Hierarchy:
    """The bank, its product families, its branches, and the families of each branch, from which all others are sums."""

    level: np.ndarray  # (nodes,) text of LEVELS; those of branch_family come last, in the order of the series
    branch: np.ndarray  # (nodes,) text, ALL where summed over
    family: np.ndarray  # (nodes,) text, ALL where summed over
    summing: np.ndarray  # (nodes, series) 0 or 1

    @classmethod
    def of(cls, branches: np.ndarray, families: np.ndarray) -> "Hierarchy":
        """The hierarchy over series given by branch and family, each pair once."""
        nodes = [("bank", ALL, ALL, np.ones(len(branches)))]
        nodes += [("family", ALL, name, families == name) for name in np.unique(families)]
        nodes += [("branch", name, ALL, branches == name) for name in np.unique(branches)]
        nodes += [
            ("branch_family", *pair, line)
            for *pair, line in zip(branches, families, np.eye(len(branches)), strict=True)
        ]
        level, branch, family, summing = zip(*nodes, strict=True)
        return cls(np.array(level), np.array(branch), np.array(family), np.array(summing, dtype=float))

    def sums(self, series: np.ndarray) -> np.ndarray:
        """(..., series) to (..., nodes)."""
        return series @ self.summing.T

    def reconciler(self, variance: np.ndarray) -> np.ndarray:
        """(series, nodes) weights that turn forecasts of every node into forecasts of the series: their sums add up.

        Minimum trace with a diagonal covariance (Wickramasuriya, Athanasopoulos & Hyndman 2019, "WLS"): among unbiased
        ways the one of least variance, if the errors of the nodes were uncorrelated.

        Parameters
        ----------
        variance : (nodes,) array
            Of the errors of each node's own forecast.
        """
        weight = 1 / (LEAST_VARIANCE + variance / (variance.mean() or 1))
        weighted = (self.summing * weight[:, None]).T
        return cho_solve(cho_factor(weighted @ self.summing), weighted)
