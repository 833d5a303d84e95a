"""What roles that serve nobody see of the bank's customers: too coarse to tell one from others."""

from collections import Counter

import pytest

from lakehouse import warehouse
from lakehouse.settings import Settings
from lakehouse.warehouse import seeds
from tests.pipeline.conftest import LAST_OF_HISTORY

EXACT = ("gender", "birth_year", "city", "occupation", "opened_date")
COARSE = ("party_type", "gender", "home_branch_code", "age_band", "opened_period")


@pytest.fixture(scope="module")
def people(history: Settings) -> list[dict[str, object]]:
    columns = ", ".join({*EXACT, *COARSE})
    return warehouse.query_serving(history, f"select customer_key, {columns} from marts.customer_360").to_pylist()


def least() -> int:
    (row,) = (row for row in seeds.load_seeds()["privacy_limits"].rows() if row["threshold"] == "least_group_size")
    return int(row["threshold_value"])


def groups(people: list[dict[str, object]], columns: tuple[str, ...]) -> Counter[tuple[object, ...]]:
    return Counter(tuple(row[name] for name in columns) for row in people)


def test_the_measure_is_what_counting_the_rows_gives(history: Settings, people: list[dict[str, object]]) -> None:
    rows = warehouse.query_serving(history, "select * from ops.reidentification").to_pylist()
    found = {row["security_level"]: row for row in rows}
    assert found.keys() == {"important", "sensitive"}
    for level, columns in (("important", EXACT), ("sensitive", COARSE)):
        sizes, row = list(groups(people, columns).values()), found[level]
        small = sum(size for size in sizes if size < least())
        assert row["columns_known"] == ", ".join(columns)
        assert (row["customer_count"], row["group_count"]) == (len(people), len(sizes))
        assert (row["smallest_group_count"], row["least_group_size"]) == (min(sizes), least())
        assert (row["below_least_count"], row["unique_count"]) == (small, sizes.count(1))
        assert row["below_least_share"] == pytest.approx(small / len(people))
        assert row["business_date"] == LAST_OF_HISTORY
    assert found["important"]["unique_share"] > 0.9 > 0.1 > found["sensitive"]["below_least_share"]


def test_nobody_is_in_a_small_group_who_could_be_in_a_larger_one(people: list[dict[str, object]]) -> None:
    """Where a kind of customers of a gender and a branch are enough, every group of theirs is."""
    all_known = groups(people, COARSE[:3])
    for known, size in groups(people, COARSE).items():
        assert size >= least() or all_known[known[:3]] < least(), known
    assert {row["age_band"] for row in people} > {None, "30-44"}


def test_a_band_says_nothing_else_than_the_year_of_birth(people: list[dict[str, object]]) -> None:
    for row in people:
        if row["age_band"] is not None:
            age = LAST_OF_HISTORY.year - int(str(row["birth_year"]))
            low, _, high = str(row["age_band"]).replace("under ", "0-").replace(" and over", "-200").partition("-")
            assert int(low) <= age <= int(high), row["age_band"]
        if row["opened_period"] is not None:
            first, _, last = str(row["opened_period"]).partition("-")
            assert int(first) <= row["opened_date"].year <= int(last)
