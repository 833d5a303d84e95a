"""What one percentage point of a rate does to a weekly series, by least squares beside season and holidays."""

from dataclasses import dataclass

import numpy as np

from ml_jobs.learning.candidates import REGRESSION_WEEKS, Drivers, changes_of

LAG_WEEKS = 8  # over which the errors of an estimated effect may be correlated


@dataclass(frozen=True)
class Effect:
    """What one percentage point of a rate adds to the weekly change of a stock, or to a weekly flow."""

    per_week: np.ndarray  # (nodes,)
    standard_error: np.ndarray  # (nodes,), infinite where the effect is not identified
    freedom: int  # degrees, of Student's distribution


def effect(nodes: np.ndarray, drivers: Drivers, is_stock: bool, rate: str) -> Effect:
    """Least squares of the weekly change (stock) or flow on all drivers, with errors robust to autocorrelation.

    The errors are those of Newey & West (1987), by statsmodels.

    Parameters
    ----------
    nodes : (weeks, nodes) array
    rate : str
        One of the drivers' names.

    Returns
    -------
    Effect
        With an infinite standard error where the rate moved only with other drivers, or the weeks are too few.
    """
    from statsmodels.stats.sandwich_covariance import S_hac_simple  # slow to import, and only reports need it

    weeks = len(nodes)
    changes, table = changes_of(nodes, is_stock), drivers.table(weeks, 0, is_stock)[1:]
    table = np.column_stack([np.ones(len(table)), table])
    at, moving = 1 + drivers.names.index(rate), np.ptp(table, axis=0) > 0
    freedom = len(table) - 1 - int(moving.sum())
    nothing = Effect(np.zeros(nodes.shape[1]), np.full(nodes.shape[1], np.inf), max(freedom, 1))
    if not moving[at] or freedom < REGRESSION_WEEKS:
        return nothing
    # The part of the rate that no other driver explains identifies its effect (Frisch-Waugh-Lovell).
    others = np.delete(table, at, axis=1)
    unexplained = table[:, at] - others @ np.linalg.lstsq(others, table[:, at], rcond=None)[0]
    square = unexplained @ unexplained
    if square < 1e-9 * (table[:, at] @ table[:, at]):
        return nothing
    residual = changes - table @ np.linalg.lstsq(table, changes, rcond=None)[0]
    variance = np.diag(S_hac_simple(unexplained[:, None] * residual, LAG_WEEKS))
    error = np.sqrt(np.maximum(variance, 0) * len(table) / freedom) / square
    return Effect(unexplained @ changes / square, error, freedom)
