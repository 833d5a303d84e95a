"""Labels of the story: what happened within 90 days, as it was known at their end."""

import pytest

from tests.dbt.bank import Bank
from tests.dbt_features.test_features import LABELS


def labels(bank: Bank, task: str, as_of: str) -> dict[str, int]:
    """Customer -> label."""
    return dict(
        bank.rows(f"select customer_key, label from build_features.label_{task} where as_of_date = date '{as_of}'")
    )


@pytest.mark.parametrize(
    ("as_of", "left"),
    [
        ("2024-07-31", {"cif:3", "cif:5", "cif:7"}),
        ("2024-08-31", {"cif:3"}),  # Qian is Sun's customer by then, Zhou has another account, of Wu nobody has heard
    ],
)
def test_churn_is_every_account_closed(initial_bank: Bank, as_of: str, left: set[str]) -> None:
    happened = labels(initial_bank, "churn", as_of)
    assert {customer for customer, label in happened.items() if label} == left
    assert {"cif:1", "cif:6", "cif:8", "cif:9"} <= happened.keys() - left


def test_only_ripe_month_ends_have_labels(initial_bank: Bank) -> None:
    dates = "select distinct cast(as_of_date as varchar), cast(ripe_date as varchar), horizon_days"
    ripe = [("2024-07-31", "2024-10-29", 90), ("2024-08-31", "2024-11-29", 90)]
    for table in LABELS:
        found = initial_bank.rows(f"{dates} from {table} order by 1")
        assert found == (ripe[1:] if table.endswith("wealth_churn") else ripe)  # nobody held anything in July


def test_tiers_by_average_assets_before_and_after(initial_bank: Bank) -> None:
    upgrade, downgrade = (labels(initial_bank, f"tier_{way}", "2024-08-31") for way in ("upgrade", "downgrade"))
    assert (upgrade["cif:1"], downgrade["cif:1"]) == (1, 0)  # from 33,000 to some 200,000
    assert (upgrade["cif:2"], downgrade["cif:2"]) == (0, 1)  # from 60,000 for most of it to 5,000
    assert (upgrade["cif:9"], downgrade["cif:9"]) == (0, 0)
    assert "cif:3" not in upgrade.keys() | downgrade.keys()  # who leaves neither rises nor falls


def test_credit_warning_is_an_instalment_that_stays_unpaid_for_thirty_days(initial_bank: Bank) -> None:
    assert labels(initial_bank, "credit_warning", "2024-07-31") == {"cif:1": 1, "cif:9": 0}
    assert labels(initial_bank, "credit_warning", "2024-08-31") == {"cif:9": 0}  # Wang is 42 days past due already


def test_a_purchase_is_what_began_in_the_90_days(initial_bank: Bank) -> None:
    bought = "select as_of_date::varchar, term_deposit, fund from build_features.label_product_purchase"
    rows = initial_bank.rows(f"{bought} where customer_key = 'cif:1' order by 1")
    assert rows == [("2024-07-31", 0, 1), ("2024-08-31", 0, 0)]


def test_a_line_has_left_when_most_of_it_is_gone_and_not_in_the_other(initial_bank: Bank) -> None:
    deposits = labels(initial_bank, "deposit_churn", "2024-08-31")
    assert {customer for customer, label in deposits.items() if label} == {"cif:2", "cif:3"}  # to 5,000, and to nothing
    assert deposits["cif:1"] == deposits["cif:9"] == 0
    assert "cif:7" not in deposits  # never had any
    assert labels(initial_bank, "wealth_churn", "2024-08-31") == {"cif:1": 0}  # it matured, and stayed on deposit


def test_a_ripe_label_never_changes(initial_bank: Bank, daily_bank: Bank) -> None:
    for table in LABELS:
        query = f"select * from {table} where ripe_date <= date '2024-11-30' order by customer_key, as_of_date"
        assert daily_bank.rows(query) == initial_bank.rows(query)
