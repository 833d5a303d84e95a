"""Tables of one's own and exports of customers, by the public commands, from the cases' files to figures and scores.

The models are quick ones: what is asked is that the data are read right.
"""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.cases.commands import CASES, run

QUICK = {"split": {"folds": 2, "repeats": 1}, "parameters": {"max_iter": 15}, "algorithm": "logistic_regression"}
CUSTOMERS = {
    "customer_no": "id",
    "name": "name",
    "birth_date": "strptime(dob, '%Y%m%d')",
    "party_type": "'P'",
    "home_branch_code": "'B1'",
    "opened_date": "date '2024-01-01'",
}
Report = dict[str, object]


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_jobs.own_tables.judging.PROCESSES", 1)


def case(name: str) -> Path:
    return CASES / f"table_{name}.csv"


def drafted(data: Path, *options: str, **changes: object) -> dict[str, object]:
    """The task ``task.yml`` as `ml new` drafts it, with a quick model and the changes."""
    Path("task.yml").unlink(missing_ok=True)
    run("ml", "new", "task", "--data", data, *options)
    task = yaml.safe_load(Path("task.yml").read_text()) | QUICK | changes
    Path("task.yml").write_text(yaml.safe_dump(task))
    return task


def evaluated() -> Report:
    return json.loads(run("ml", "evaluate", "task.yml", "--json"))


def auc(report: Report, model: str = "model") -> float:
    return report["figures"][model]["roc_auc"]["value"]


def in_use() -> None:
    """Train the drafted task's model and put it to use."""
    run("ml", "train", "task.yml")
    run("ml", "promote", "task.yml")


def adapted(name: str, code: int = 0) -> str:
    sets = [word for column, sql in CUSTOMERS.items() for word in ("--set", f"{column}={sql}")]
    return run("adapt", "csv", case(name), "customers", "--month", "2024-01", "--out", "landing", *sets, code=code)


@pytest.mark.parametrize(
    "read", [adapted, lambda name, code: run("ml", "new", "task", "--data", case(name), code=code)]
)
def test_a_new_column_midway_is_refused_with_its_line(read: Callable[..., str]) -> None:
    lines = case("new_column_midway").read_text().splitlines()
    first = next(number for number, line in enumerate(lines, 1) if line.count(",") != lines[0].count(","))
    refused = f"from line {first} on, lines have 5 fields, the header has 4 fields: {first - 2} rows before, "
    assert f"{refused}{len(lines) - first + 1} rows" in read("new_column_midway", code=1)
    assert list(Path().iterdir()) == []


def test_keys_that_begin_with_a_hash_are_customers() -> None:
    shown = adapted("hash_keys")
    assert "400 rows delivered" in shown and "above the header, so not read: line 1" in shown
    (sent,) = Path("landing/customers").glob("*.dat")
    keys = {row["customer_no"] for row in csv.DictReader(sent.open(), delimiter="|")}
    assert len(keys) == 400 and sum(key.startswith("#") for key in keys) == 200
    taken = json.loads(run("check", sent, "--feed", "customers", "--date", "2024-01", "--json"))
    assert (taken["rows"], taken["kinds"]) == (400, [])


def test_a_date_is_worth_as_much_as_its_days() -> None:
    task = drafted(case("date_feature"))
    assert task["as_of_date"] == "snapshot"
    dates = evaluated()
    assert sorted(dates["features"]) == ["age", "n_products", "opened"]
    drafted(case("date_feature_as_days"))
    assert auc(dates) == auc(evaluated()) == pytest.approx(0.90, abs=0.02)


def test_a_panel_of_noise_is_worth_nothing() -> None:
    task = drafted(case("panel_noise"))
    assert (task["entity"], task["as_of_date"]) == ("client_id", "month")
    report = evaluated()
    assert "client_id" not in report["features"] and "keep groups together" in report["split"]
    for model in ("hist_gradient_boosting", "logistic_regression"):
        assert auc(report, model) == pytest.approx(0.5, abs=0.08)


def test_an_income_that_differs_in_every_row_is_a_feature() -> None:
    drafted(case("unique_income"))
    report = evaluated()
    assert "income" in report["features"] and auc(report) > 0.9
    drafted(case("unique_income"), features=["income"])
    assert evaluated()["features"] == ["income"]


def test_default_or_deposit_is_asked() -> None:
    shown = run("ml", "new", "task", "--data", case("default_and_deposit"), code=1)
    assert "several columns may be the label: deposit (" in shown and "; default (" in shown and "--label" in shown
    assert not Path("task.yml").exists()
    task = drafted(case("default_and_deposit"), "--label", "deposit")
    assert (task["label"], task["positive"]) == ("deposit", "yes")


def test_a_decimal_comma_is_read_as_the_same_number() -> None:
    drafted(case("decimal_comma"))
    report = evaluated()
    assert "balance" in report["features"]
    drafted(case("score_train"))  # the same rows with points
    assert auc(report) == auc(evaluated())


def test_one_text_among_3000_numbers_is_counted_and_named() -> None:
    drafted(case("one_text_in_number"))
    report = evaluated()
    assert "income: 1 value of 3,000 is no number, so missing: line 7" in report["notes"]
    assert "income" in report["features"] and auc(report) > 0.7


def test_scoring_stops_at_the_column_that_cannot_be_read() -> None:
    drafted(case("score_train"))
    in_use()
    shown = run("ml", "score", "task.yml", "--data", case("score_decimal_comma"), "--out", "s.parquet", code=1)
    assert "balance is written with a decimal comma" in shown and not Path("s.parquet").exists()
    run("ml", "score", "task.yml", "--data", case("score_train"), "--out", "s.parquet")
    assert len(pd.read_parquet("s.parquet")) == 600


def test_keys_of_twenty_digits_are_600_customers() -> None:
    task = drafted(case("twenty_digit_keys"))
    assert task["entity"] == "client_id"
    in_use()
    run("ml", "score", "task.yml", "--out", "s.parquet")
    keys = [row["client_id"] for row in csv.DictReader(case("twenty_digit_keys").open())]
    assert sorted(pd.read_parquet("s.parquet")["entity"]) == sorted(set(keys)) and len(keys) == 600


def test_a_moment_with_an_offset_is_on_the_local_date() -> None:
    dates = pd.read_csv(case("offset_dates"))["snapshot"].str[:10]
    assert drafted(case("offset_dates"))["as_of_date"] == "snapshot"
    report = evaluated()
    rows = {month["group"]: month["rows"] for month in report["by_month"][1:]}  # the first is judged in part
    assert rows == dates.str[:7].value_counts().loc[list(rows)].to_dict() and len(rows) > 4
    shown = run("ml", "new", "again", "--data", case("offset_dates"))
    assert f"{dates.nunique()} dates, {dates.min()} to {dates.max()}" in shown
