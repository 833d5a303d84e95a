"""What customers say of purposes, and what Finance adjusts: few, with dates, and each as the bank's rules want it."""

from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from simulator import generate
from tests.simulator.bank_files import read

CUSTOMERS, MONTHS = 2_000, 24


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two years of the feeds that this is about."""
    folder = tmp_path_factory.mktemp("history")
    generate(CUSTOMERS, MONTHS, 1, folder, only=("consents", "adjustments", "branches", "customers", "accounts"))
    return folder / "landing"


def rows(landing: Path, feed: str) -> list[dict[str, str]]:
    files = sorted(path for path in (landing / feed).iterdir() if not path.name.endswith(".manifest.json"))
    return [{name: value or "" for name, value in row.items()} for file in files for row in read(file, feed)]


def test_one_or_two_in_a_hundred_refuse_and_few_of_them_think_again(history: Path) -> None:
    said: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in rows(history, "consents"):
        said[row["party_key"], row["purpose"]].append(row)
    refusers = {party for party, _ in said}
    assert 0.01 < len(refusers) / CUSTOMERS < 0.025
    decisions = [tuple(row["decision"] for row in words) for words in said.values()]
    assert set(decisions) == {("refused",), ("refused", "given")}
    assert 0 < decisions.count(("refused", "given")) < len(decisions) / 2
    assert Counter(purpose for _, purpose in said).keys() == {"marketing", "profiling"}
    assert len({row["business_date"] for words in said.values() for row in words}) > len(said) / 2
    for words in said.values():
        assert all(one["effective_date"] < later["business_date"] for one, later in pairwise(words))


def test_only_customers_speak_and_a_word_counts_from_its_day_or_the_next(history: Path) -> None:
    born = {f"cif:{row['customer_no']}": row["birth_date"] for row in rows(history, "customers")}
    opened: dict[str, str] = {}
    for row in rows(history, "accounts"):
        party = f"cif:{row['customer_no']}"
        opened[party] = min(opened.get(party, "9999"), row["opened_date"])
    words = rows(history, "consents")
    for row in words:
        day = date.fromisoformat(row["business_date"])
        assert date.fromisoformat(row["effective_date"]) - day == timedelta(row["channel"] in ("phone", "letter"))
        assert (datetime.fromisoformat(row["decided_at"]) + timedelta(hours=8)).date() == day
        assert opened[row["party_key"]] <= row["business_date"]
        assert date.fromisoformat(born[row["party_key"]]).year <= day.year - 16, "a child, or an enterprise"
    assert len({row["channel"] for row in words}) >= 4


def test_a_quarters_end_is_adjusted_by_two_people_and_every_second_one_is_taken_back(history: Path) -> None:
    known = {row["adjustment_id"]: row for row in rows(history, "adjustments")}
    branches = {row["branch_code"] for row in rows(history, "branches")}
    made = [row for row in known.values() if not row["reverses_adjustment_id"]]
    reversals = [row for row in known.values() if row["reverses_adjustment_id"]]
    assert len(made) == MONTHS // 3 - 1 and len(reversals) == (len(made) + 1) // 2
    for row in known.values():
        assert row["prepared_by"] != row["approved_by"] and row["branch_code"] in branches
        assert 20_000 <= abs(Decimal(row["amount"])) <= 400_000
        assert row["effective_date"] <= row["business_date"]
    for row in made:
        following = date.fromisoformat(row["effective_date"]) + timedelta(days=1)
        assert following.day == 1 and following.month in (1, 4, 7, 10)
    for row in reversals:
        original = known[row["reverses_adjustment_id"]]
        assert Decimal(row["amount"]) == -Decimal(original["amount"])
        assert all(row[name] == original[name] for name in ("element", "branch_code"))
        assert row["business_date"] > original["business_date"] and row["effective_date"] > original["effective_date"]
    assert {row["element"].rpartition(".")[2] for row in made} == {"deposit_amount", "investment_amount"}
