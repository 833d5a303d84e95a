"""A hierarchy of series by branch and product family, and the reconciliation of forecasts over it."""

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
        """(..., series) to (..., nodes).

        >>> Hierarchy.of(np.array(["B1", "B2"]), np.array(["fixed", "fixed"])).sums(np.array([1.0, 2.0])).tolist()
        [3.0, 3.0, 1.0, 2.0, 1.0, 2.0]
        """
        return series @ self.summing.T

    def reconciler(self, variance: np.ndarray) -> np.ndarray:
        """(series, nodes) weights that turn forecasts of every node into forecasts of the series, whose sums add up.

        Minimum trace with a diagonal covariance (Wickramasuriya, Athanasopoulos & Hyndman 2019, "WLS"): the unbiased
        reconciliation of least variance, if the errors of the nodes are uncorrelated.

        Parameters
        ----------
        variance : (nodes,) array
            Of the errors of each node's forecast before reconciliation.
        """
        weight = 1 / (LEAST_VARIANCE + variance / (variance.mean() or 1))
        weighted = (self.summing * weight[:, None]).T
        return np.asarray(cho_solve(cho_factor(weighted @ self.summing), weighted))
