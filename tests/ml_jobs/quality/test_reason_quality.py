"""How reasons are judged that people hear in other terms than the model learns."""

import numpy as np

from ml_jobs.learning.rows import Rows
from ml_jobs.quality.reasons import learned_from


def test_the_comparison_that_people_hear_is_put_to_the_model_in_its_own_terms():
    """Persons send 0.2 to wallets on average, enterprises 0.4: what is heard as 0.1 is half, or a quarter, of that."""
    share = np.float32([0.1, 0.2, 0.3, 0.1, 0.4, 0.7])
    kind = np.float32([0, 0, 0, 1, 1, 1])
    customer, day = np.array(list("abcdef")), np.full(6, np.datetime64("2025-01-31"))
    learned = np.column_stack([share / np.where(kind == 1, 0.4, 0.2), kind]).astype(np.float32)
    columns = ("wallet_outflow_share_to_usual_180d", "is_enterprise")
    rows = Rows(columns, customer, day, learned)
    heard = Rows(("wallet_outflow_share_180d", "is_enterprise"), customer, day, np.column_stack([share, kind]))
    position, feature = np.array([2, 5, 2]), np.array([0, 0, 1])
    instead = learned_from(rows, heard, position, feature, np.array([0.1, 0.1, 0.0]))
    assert np.allclose(instead, [0.5, 0.25, 0.0])
