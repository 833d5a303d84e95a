"""`make bench-all`: what was measured decides on a goal, and all rivals come to their end on a small bank."""

import json
from io import StringIO
from pathlib import Path

import duckdb
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.rivals import command, sklearn_defaults
from benchmarks.rivals.comparison import Comparison, Goal, Side, table
from benchmarks.rivals.splink_script import f1, pairs_of_persons
from ml_jobs.learning.metrics import Figure
from ml_jobs.task_file import load_tasks
from tests.ml_jobs.made_up import made_up_bank, made_up_rows, month_ends


def comparison(theirs: float, goal: Goal, gain: tuple[float, float] | None = None, *unequal: str) -> Comparison:
    """A rival that took so many seconds, ours 10; our quality less its, from and to."""
    difference = Figure(value=sum(gain) / 2, low=gain[0], high=gain[1]) if gain else None
    return Comparison("loading", "a script", Side(theirs), Side(10.0), goal, difference, unequal)


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (comparison(100.0, Goal(10)), "ok"),
        (comparison(99.0, Goal(10)), "MISSED"),
        (comparison(10.0, Goal(1, "better", "F1"), (0.01, 0.03)), "ok"),
        (comparison(9.0, Goal(1, "better", "F1"), (0.01, 0.03)), "MISSED"),
        (comparison(10.0, Goal(1, "better", "F1"), (-0.01, 0.03)), "MISSED"),
        (comparison(10.0, Goal(1, "equal", "AUC"), (-0.01, 0.03)), "ok"),
        (comparison(10.0, Goal(1, "equal", "AUC"), (-0.03, -0.01)), "MISSED"),
        (comparison(10.0, Goal(1, "equal", "AUC")), "MISSED"),
        (comparison(1000.0, Goal(10), None, "postings"), "UNEQUAL"),
    ],
)
def test_a_goal_is_reached_by_seconds_and_quality_together(made: Comparison, verdict: str) -> None:
    assert made.verdict == verdict


def test_the_table_has_a_line_for_each_comparison_with_its_ratio_and_goal() -> None:
    missed = comparison(7.0, Goal(1, "equal", "AUC"), (-0.03, -0.01))
    assert missed.ratio == pytest.approx(0.7)
    console = Console(width=command.WIDE, file=StringIO(), record=True)
    console.print(table([comparison(123.0, Goal(10)), missed]))
    fast, slow = [line for line in console.export_text().splitlines() if "a script" in line]
    assert all(text in fast for text in ("123.0", "10.0", "12.30x", "10x", "ok"))
    assert all(text in slow for text in ("0.70x", "not slower at", "-0.020 (-0.030 to -0.010)", "MISSED"))


@pytest.mark.parametrize(("unequal", "code"), [((), 0), (("months: (1,) of ours, (2,) of the rival",), 1)])
def test_a_missed_goal_is_a_figure_and_unequal_figures_are_a_failure(
    unequal: tuple[str, ...], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = comparison(7.0, Goal(10), None, *unequal)
    monkeypatch.setattr(command, "measure", lambda _, *asked: command.Report(*asked[:3], [made], ["a score: why"]))
    said = CliRunner().invoke(command.app, ["--report", str(tmp_path / "report.json"), "--scratch", str(tmp_path)])
    assert said.exit_code == code
    assert "not compared: a score: why" in said.stdout and all(text in said.stdout for text in unequal)
    (kept,) = json.loads((tmp_path / "report.json").read_text())["comparisons"]
    assert kept["ratio"] == pytest.approx(0.7) and kept["goal"] == "10x" and kept["unequal"] == list(unequal)


def test_f1_over_persons_is_f1_over_pairs(tmp_path: Path) -> None:
    with duckdb.connect() as con:  # p1 has three records and q1 one; a customer holds two of p1's, and q1's
        con.execute(
            f"""
            copy (from (values ('a', 'p1'), ('b', 'p1'), ('c', 'p1'), ('d', 'q1')) as rows (party_key, person_id))
            to '{tmp_path}/persons.parquet'
            """
        )
    clusters = "(values ('a', 1), ('b', 1), ('c', 2), ('d', 1)) as clusters (party_key, customer_key)"
    pairs = pairs_of_persons(clusters, tmp_path)
    found, true, both, records = pairs.sum(axis=0)
    assert (found, true, both, records) == (3, 3, 1, 4)
    assert f1(pairs, np.ones((1, 2))).tolist() == [pytest.approx(1 / 3)]


@pytest.mark.full
@pytest.mark.timeout(900)
def test_default_estimators_are_judged_on_the_rows_of_our_training(tmp_path: Path) -> None:
    bank = made_up_bank(tmp_path / "bank", *made_up_rows())
    trees, regression = sklearn_defaults.compare(bank, load_tasks()["churn"], month_ends()[-1], tmp_path)
    for one in (trees, regression):
        assert one.ours.quality and one.theirs.quality and one.gain
        assert 0.6 < one.theirs.quality["value"] < 0.9
        assert one.gain["value"] == pytest.approx(one.ours.quality["value"] - one.theirs.quality["value"])
        assert one.theirs.seconds >= sum(one.theirs.parts.values()) > 0 and not one.unequal
    assert trees.ours == regression.ours and trees.theirs != regression.theirs


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_all_rivals_come_to_their_end_on_a_small_bank(tmp_path: Path) -> None:
    measured = command.measure(tmp_path / "bank", customers=300, months=6, seed=5, task="churn")
    loading, processes, linking = measured.comparisons
    assert not any(one.unequal for one in measured.comparisons)
    assert {"read_csv", "to_sql", "fct_transactions", "account_monthly"} < loading.theirs.parts.keys()
    assert "account_monthly" in processes.theirs.parts and processes.ratio > 1
    assert linking.ours.quality and linking.theirs.quality
    assert [text.split(":")[0] for text in measured.left_out] == ["scikit-learn on churn"]  # too short a history
