"""From which columns a published column derives, against what was read out of the SQL by hand."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from lakehouse import warehouse
from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.warehouse.derivation import Lineage, read_lineage
from lakehouse.warehouse.provenance import rows_behind

TRUTH: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "lineage_truth.yml").read_text())


@pytest.fixture(scope="module")
def lineage(history: Settings) -> Lineage:
    return read_lineage(history)


def test_columns_derive_from_what_was_read_by_hand(lineage: Lineage) -> None:
    for column in TRUTH:
        lineage.require(column)
    read = {(column, root) for column, roots in TRUTH.items() for root in roots}
    found = {(column, root) for column in TRUTH for root in lineage.roots(column)}
    assert len(TRUTH) == 60
    assert len(read & found) / len(found) >= 0.97, sorted(found - read)
    assert len(read & found) / len(read) >= 0.95, sorted(read - found)


def test_the_rows_behind_customers_are_their_lines_in_the_files(history: Settings, lineage: Lineage) -> None:
    """Held against the landed files, read as text: every line of their accounts, and no other."""
    feeds = lineage.feeds("marts.customer_360.deposit_amount")
    assert {"balances", "transactions"} & set(feeds)
    owners = warehouse.query_serving(
        history,
        "select customer_key from marts.dim_account where customer_key is not null "
        "group by customer_key order by count(*) desc, customer_key limit 3",
    )["customer_key"].to_pylist()
    for key in owners:
        (accounts, postings) = (Counter(), Counter())
        for behind in rows_behind(history, key, ["accounts", "transactions"]):
            (file,) = history.landing.glob(f"*/{behind.file}")
            lines = file.read_text(load_feeds()[behind.feed].encoding).splitlines()
            numbers = [n for part in behind.lines.split(", ") for n in numbers_of(part)]
            assert len(numbers) == behind.row_count
            column = lines[0].split("|").index("account_no")
            found = accounts if behind.feed == "accounts" else postings
            found.update(lines[number - 1].split("|")[column] for number in numbers)
        assert accounts and postings and postings.keys() <= accounts.keys()
        every = Counter(
            line.split("|")[1]
            for file in (history.landing / "transactions").glob("*_v1.dat")
            if file.name < "transactions_2025-03"
            for line in file.read_text(load_feeds()["transactions"].encoding).splitlines()[1:]
            if line.split("|")[1] in accounts
        )
        assert postings == every
    with pytest.raises(Stop, match="no record belongs to cif:nobody"):
        rows_behind(history, "cif:nobody")


def numbers_of(part: str) -> range:
    first, _, last = part.partition("-")
    return range(int(first), int(last or first) + 1)
