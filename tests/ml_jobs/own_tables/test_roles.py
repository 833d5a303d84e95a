"""Roles are proposed with reasons and never forced: label, entity, as-of date; what is an identifier or a person."""

import numpy as np
import pandas as pd
import pytest

from ml_jobs.own_tables.columns import Columns
from ml_jobs.own_tables.delivered import Delivered
from ml_jobs.own_tables.roles import (
    date_candidates,
    entity_candidates,
    holds_personal_data,
    label_candidates,
    names_repeating_key,
    panel_key,
    why_identifier,
)
from ml_jobs.task_file import Reading

ROWS = 400
RANDOM = np.random.default_rng(3)
YES = np.where(np.arange(ROWS) % 4 == 0, "yes", "no")


def columns(**values: object) -> Columns:
    frame = pd.DataFrame(values).astype(str)
    return Columns(Delivered(frame), Reading())


@pytest.mark.parametrize(
    "values",
    [
        RANDOM.permutation(np.arange(20_000, 60_000))[:ROWS],  # incomes
        RANDOM.permutation(np.arange(1_000, 9_000))[:ROWS] * 100,
        -RANDOM.permutation(np.arange(50_000))[:ROWS],
        RANDOM.permutation(np.arange(10**8, 10**9, 1_000))[:ROWS],
    ],
)
def test_whole_numbers_that_all_differ_are_amounts(values):
    for name in ("income", "customer_value", "paid", "IDLE_BALANCE", "number_of_calls"):
        assert why_identifier(name, columns(**{name: values})) == ""


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("CLIENTNUM", RANDOM.permutation(10**6)[:ROWS]),
        ("customerID", RANDOM.permutation(10**6)[:ROWS]),
        ("loan no", RANDOM.permutation(10**6)[:ROWS]),
        ("客户编号", RANDOM.permutation(10**6)[:ROWS]),
        ("x", np.arange(ROWS) + 70_000),  # without gaps
        ("x", 13_000_000_000 + RANDOM.permutation(10**6)[:ROWS] * 997),  # as many digits in every row
    ],
)
def test_keys_row_numbers_and_long_numbers_identify(name, values):
    assert why_identifier(name, columns(**{name: values}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("PhoneService", YES),
        ("email_opt_in", YES),
        ("address_changes", RANDOM.integers(0, 9, ROWS)),
        ("product_name", RANDOM.choice(["gold", "blue", "plus"], ROWS)),
        ("contact", RANDOM.choice(["cellular", "telephone"], ROWS)),
        ("mobile_logins", RANDOM.integers(0, 5_000, ROWS)),
    ],
)
def test_what_only_sounds_personal_is_a_feature(name, values):
    assert not holds_personal_data(name, columns(**{name: values}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Surname", [f"name {number}" for number in range(ROWS)]),
        ("home_phone", 13_000_000_000 + RANDOM.permutation(10**6)[:ROWS] * 997),
        ("contact", [f"p{number}@example.com" for number in range(ROWS)]),
        ("联系方式", [f"138{number:08}" for number in range(0, ROWS * 7, 7)]),
        ("客户姓名", [f"王{number}" for number in range(ROWS)]),
        ("Address", [f"{number} High Street" for number in range(ROWS)]),
    ],
)
def test_persons_are_told_by_name_and_by_value(name, values):
    holding = columns(**{name: values})
    assert holds_personal_data(name, holding) or why_identifier(name, holding)


@pytest.mark.parametrize(
    ("names", "best", "asks"),
    [
        (["default", "deposit"], None, True),
        (["deposit", "default"], None, True),
        (["status", "bad"], None, True),
        (["default", "y"], "y", False),
        (["is_active", "Exited"], "Exited", False),
        (["gender", "default payment next month"], "default payment next month", False),
        (["churn_flag", "has_card"], "churn_flag", False),
        (["PhoneService", "bought"], "bought", False),
    ],
)
def test_candidates_for_the_label_come_with_reasons(names, best, asks):
    candidates = label_candidates(columns(amount=np.arange(ROWS), **dict.fromkeys(names, YES)))
    assert {candidate.column for candidate in candidates} == set(names)
    assert all(candidate.why for candidate in candidates)
    strong = [candidate.column for candidate in candidates if candidate.strength >= 4]
    named = [candidate for candidate in candidates if candidate.strength >= 2]
    assert (len(strong) != 1 and len(named) > 1) == asks
    if best:
        assert candidates[0].column == best


@pytest.mark.parametrize(
    ("values", "entity"),
    [
        ({"RowNumber": np.arange(ROWS) + 1, "CustomerId": RANDOM.permutation(10**6)[:ROWS]}, "CustomerId"),
        ({"index": np.arange(ROWS), "id": RANDOM.permutation(10**6)[:ROWS]}, "id"),
        ({"loan_id": np.arange(ROWS), "client_id": np.arange(ROWS) // 4}, "client_id"),
        ({"Unnamed: 0": np.arange(ROWS), "account_no": np.arange(ROWS) // 3}, "account_no"),
        ({"kunde_nr": [f"K{number // 6:04}" for number in range(ROWS)]}, "kunde_nr"),
    ],
)
def test_the_entity_is_somebody_s_key_even_if_it_repeats(values, entity):
    assert entity_candidates(columns(y=YES, **values), "y")[0].column == entity


@pytest.mark.parametrize("name", ["nr", "who", "Teilnehmer"])
def test_a_key_without_the_name_of_one_shows_by_what_hangs_on_it(name):
    of_whom = np.arange(ROWS) // 4
    income = RANDOM.normal(size=ROWS)[of_whom].round(6)
    panel = columns(**{name: [f"p{number:03}" for number in of_whom]}, income=income, balance=RANDOM.normal(size=ROWS))
    assert panel_key(panel, set()).column == name
    assert panel_key(columns(town=RANDOM.choice([f"t{n}" for n in range(60)], ROWS), y=YES), set()) is None


@pytest.mark.parametrize("name", ["client_id", "CustomerId", "account no", "客户号", "id"])
def test_a_key_that_repeats_is_known_by_its_name(name):
    assert names_repeating_key(name, columns(**{name: np.arange(ROWS) // 6 + 1_000}))
    assert not names_repeating_key(name, columns(**{name: np.arange(ROWS)}))


@pytest.mark.parametrize("name", ["as_of_date", "snapshot", "Month", "obs_date", "统计日期"])
def test_the_as_of_date_is_recognised(name):
    days = pd.date_range("2024-01-01", periods=ROWS).astype(str)
    best = date_candidates(columns(**{"opened": days, name: days}), "y")[0]
    assert (best.column, best.strength) == (name, 1)
