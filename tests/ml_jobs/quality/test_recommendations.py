"""Lists and figures of recommendations, on rows small enough to work out by hand."""

import pandas as pd
import pytest

from ml_jobs.quality.recommendations import ROW, hits_per_buyer, recommend, valued

DAY = "2025-06-30"


def candidates(*rows: tuple[str, str, float, float, float]) -> pd.DataFrame:
    """Of one day, from (customer, product, probability, value, preference)."""
    names = ["customer_key", "product_code", "probability", "value_amount", "preference"]
    return pd.DataFrame(rows, columns=names).assign(
        as_of_date=DAY,
        product_line=lambda frame: frame.product_code.str[0],
        expected_value=lambda frame: frame.probability * frame.value_amount,
    )


def listed(rows: pd.DataFrame, customer: str) -> list[str]:
    return rows[rows.customer_key == customer].product_code.tolist()


def test_one_of_three_fits_the_profile_best():
    rows = recommend(
        candidates(
            ("a", "F1", 0.5, 10, 1),
            ("a", "F2", 0.4, 10, 1),
            ("a", "F3", 0.3, 10, 1),
            ("a", "S1", 0.01, 10, 1.2),
            ("a", "S2", 0.02, 10, 1.2),
            ("b", "F1", 0.1, 10, 1),
            ("b", "F2", 0.1, 10, 1),
            ("b", "W1", 0.1, 10, 1.2),
            ("b", "F3", 0.1, 11, 1),
        )
    )
    assert listed(rows, "a") == ["F1", "F2", "S2"]
    assert listed(rows, "b") == ["W1", "F3", "F1"]  # of equal worth the first by its code


def test_what_costs_the_bank_comes_after_what_adds_by_what_may_be_wanted():
    rows = recommend(
        candidates(("a", "F1", 0.5, -10, 1), ("a", "F2", 0.01, -1, 1), ("a", "T1", 0.02, 1, 1), ("a", "W1", 0.6, -9, 1))
    )
    assert listed(rows, "a") == ["T1", "W1", "F1"]


def test_an_offer_is_worth_what_it_adds_and_what_would_have_left():
    rows = pd.DataFrame(
        {
            "probability": 0.5,
            "leaving_probability": [None, 0.0, 0.75],
            "counted_days": [90, 90, 180],
            "new_margin_amount": [100.0, 100, 100],
            "replaced_margin_amount": [300.0, 300, 300],
        }
    )
    found = valued(rows, cost=8)
    assert found.value_amount.tolist() == [-200, -200, 25]  # of 300 a quarter stays for the average day of the term
    assert found.expected_value.tolist() == [-108, -108, 4.5]


def test_average_precision_and_hits_by_product_and_line():
    lists = candidates(("a", "F1", 0, 5, 1), ("a", "F2", 0, 7, 1), ("a", "W1", 0, 9, 1), ("b", "F1", 0, 5, 1))
    bought = candidates(("a", "F2", 0, 0, 1), ("a", "W1", 0, 0, 1), ("c", "F1", 0, 0, 1))
    by_product = hits_per_buyer(lists, bought, "product_code")
    assert by_product[ROW].values.tolist() == [[DAY, "a"], [DAY, "c"]]  # buyers only
    assert by_product.average_precision.tolist() == pytest.approx([(1 / 2 + 2 / 3) / 2, 0])
    assert by_product.hit.tolist() == [1, 0]
    assert by_product.margin.tolist() == [16, 0]
    by_line = hits_per_buyer(lists, bought, "product_line")
    assert by_line.average_precision.tolist() == pytest.approx([1, 0])  # F, then W: both were bought
