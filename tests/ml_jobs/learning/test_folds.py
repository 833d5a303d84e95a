"""Who is held out for the calibration."""

import numpy as np
import pytest

from ml_jobs.learning.folds import turns


@pytest.mark.parametrize(("rows", "held_out"), [(3_000, 1.0), (30_000, 0.5), (60_000, 1.0)])
def test_of_few_and_of_many_rows_every_customer_is_held_out_once(rows, held_out):
    """A large bank's promise depends on no draw of customers; models have seen nobody whom they are asked about."""
    customer = np.arange(rows) // 3
    label = (customer % 7 == 0).astype(np.int8)
    asked = []
    for fitted, unseen in turns(label, customer):
        assert not set(customer[fitted]) & set(customer[unseen])
        asked.append(unseen)
    asked = np.concatenate(asked)
    assert len(np.unique(asked)) == len(asked) == pytest.approx(held_out * rows, rel=0.01)
