"""A user's table from a task file alone: honest figures, leaks called out by name, and a model that is kept."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import expit
from typer.testing import CliRunner

from c360.cli.main import app
from lakehouse.errors import Stop
from ml_jobs.learning.leaks import find_leakage, single_feature_aucs
from ml_jobs.own_tables.columns import Columns
from ml_jobs.own_tables.delivered import Delivered, read_rows
from ml_jobs.own_tables.drafting import draft
from ml_jobs.own_tables.frames import is_positive, labelled
from ml_jobs.own_tables.judging import evaluate
from ml_jobs.task_file import Reading, Task
from tests.conftest import SECRET

ROWS = 900
BASE = {"task": "cards", "table": "cards.csv", "label": "left", "positive": "yes", "entity": "client_id"}
QUICK = {"split": {"folds": 3, "repeats": 1}, "parameters": {"max_iter": 60}}


def made_up_table(rows: int = ROWS, seed: int = 5) -> pd.DataFrame:
    """Customers whose hazard hangs on a number with gaps and a category; the rest says nothing, or too much."""
    random = np.random.default_rng(seed)
    balance = random.normal(size=rows)
    card = random.choice(["blue", "gold", "unknown"], size=rows, p=[0.6, 0.3, 0.1])
    left = random.random(rows) < expit(-1.2 - 1.5 * balance + 1.5 * (card == "gold"))
    return pd.DataFrame(
        {
            "client_id": np.arange(rows) + 70_000,
            "early": np.where(np.arange(rows) == 0, 1.0, np.nan),  # always missing in most folds
            "surname": [f"name {number}" for number in random.integers(0, 200, rows)],
            "balance": np.where(random.random(rows) < 0.1, np.nan, 1_000 * balance.round(6)),
            "card": card,
            "noise": random.normal(size=rows),
            "branch": "only one",
            "duration": np.where(left, 1.5, 0) + random.normal(size=rows),
            "closing_letter": np.where(left, "sent", None),
            "left": np.where(left, "yes", "no"),
        }
    )


@pytest.fixture(scope="module", autouse=True)
def in_this_process():
    """A second process takes longer to start than these tables to judge."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ml_jobs.own_tables.judging.PROCESSES", 1)
        yield


@pytest.fixture(scope="module")
def csv(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("own") / "cards.csv"
    made_up_table().to_csv(path, index=False, sep=";", na_rep="?")
    return path


@pytest.fixture(scope="module")
def report(bank, csv):
    return evaluate(bank, Task.model_validate(BASE | QUICK), csv)[0]


def test_leaks_and_suspects_are_called_out_by_name_and_do_not_count(report):
    assert [leak["feature"] for leak in report["leaks"]] == ["closing_letter"]
    assert [suspect["feature"] for suspect in report["suspects"]] == ["duration"]
    assert report["features"] == ["early", "balance", "card", "noise"]
    honest = report["figures"]["model"]["roc_auc"]
    assert 0.75 < honest["low"] < honest["value"] < 0.9
    assert report["figures_with_leaks"]["roc_auc"]["value"] > 0.99


def test_what_is_left_out_is_told(report):
    assert report["dropped"] == {"surname": "personal data", "branch": "always 'only one'"}
    assert report["split"].startswith("no as-of date, so not by time: 3 stratified folds that keep groups together")


def test_simpler_scores_and_the_base_rate_stand_beside(report):
    figures = report["figures"]
    assert report["rule"] == {"feature": "balance", "sign": -1}
    assert figures["rule"]["roc_auc"]["value"] < figures["model"]["roc_auc"]["value"]
    for loss in ("brier", "log_loss"):
        assert figures["model"][loss]["value"] < figures["base_rate"][loss]["value"]
        assert figures["model"][loss]["value"] < report["before_calibration"][loss]["high"]
    assert report["model"] == "logistic_regression"  # the hazard is linear: the simpler model is equal
    assert "are not better than logistic regression beyond the interval" in report["why"]


def test_judging_again_gives_the_same_report(bank, csv, report):
    assert evaluate(bank, Task.model_validate(BASE | QUICK), csv)[0] == report


def test_a_column_that_is_vouched_for_counts(csv):
    frame = pd.read_csv(csv, sep=";", na_values="?")
    table = labelled(Task.model_validate(BASE), Delivered(frame))
    aucs = single_feature_aucs(table.rows.values, table.rows.label, table.encoding.source)
    assert find_leakage(aucs, vouched=("duration", "closing_letter")) == ([], [])


def test_a_leak_is_found_up_down_by_level_and_by_being_missing():
    label = np.tile([0, 1, 0, 0], 250)
    noise = np.random.default_rng(0).normal(size=1_000)
    away = np.abs(noise) * np.where(label, 1, 0.01)  # neither high nor low: far from the middle
    columns = {
        "up": noise / 9 + label,
        "down": noise / 9 - label,
        "missing": np.where(label, np.nan, noise),
        "away": np.where(noise > 0, away, -away),
        "honest": noise,
    }
    aucs = single_feature_aucs(
        np.stack([*columns.values(), label, 1 - label], axis=1), label, [*columns, "level", "level"]
    )
    assert [name for name, auc in aucs.items() if auc > 0.95] == ["up", "down", "missing", "away", "level"]
    assert aucs["honest"] < 0.6


def test_rows_that_repeat_stay_on_one_side_of_every_split(bank, tmp_path):
    frame = made_up_table().drop(columns=["closing_letter", "duration", "balance"])
    frame["noise"] = np.random.default_rng(1).normal(size=ROWS)  # says nothing, unless a row is met again
    again = pd.concat([frame] * 4, ignore_index=True).assign(client_id=lambda rows: np.arange(len(rows)) + 1)
    again.drop(columns="card").to_parquet(tmp_path / "cards.parquet")
    evaluated = evaluate(bank, Task.model_validate(BASE | QUICK), tmp_path / "cards.parquet")[0]
    assert evaluated["notes"] == [
        "3,600 rows",
        "2,700 rows repeat another row's features: they stay on one side of every split",
    ]
    assert evaluated["figures"]["model"]["roc_auc"]["low"] < 0.55


def test_with_dates_later_rows_judge(bank, tmp_path):
    days = np.sort(np.random.default_rng(2).integers(0, 700, ROWS))
    frame = made_up_table().drop(columns=["closing_letter", "duration"])
    frame["day"] = np.datetime64("2023-01-01") + days
    frame.to_parquet(tmp_path / "cards.parquet")
    dated = BASE | QUICK | {"as_of_date": "day", "horizon_days": 30, "segments": {"card": []}}
    evaluated, _, judged = evaluate(bank, Task.model_validate(dated), tmp_path / "cards.parquet")
    assert evaluated["split"].startswith("by time")
    assert judged.as_of_date.min() > np.datetime64("2024-05-01")
    assert {line["group"] for line in evaluated["segments"]["card"]} == {"blue", "gold", "unknown"}
    assert sum(line["rows"] for line in evaluated["by_month"]) == evaluated["rows_that_judge"] == len(judged.label)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "gone"}, "label: .* has no column gone: it has client_id"),
        ({"positive": "perhaps"}, "positive: 'perhaps' is the label of 0 of 900 rows; left holds 'no', 'yes'"),
        ({"features": ["age"]}, r"features \(age\): .* has no column age"),
        ({"as_of_date": "card"}, r"as_of_date: card is no date in 900 rows \(lines 2, 3, 4, 5, 6 and 895 more\)"),
    ],
)
def test_a_task_that_does_not_fit_its_table_is_refused(csv, bank, change, message):
    with pytest.raises(Stop, match=message):
        labelled(Task.model_validate(BASE | change), read_rows(bank, "cards.csv", csv))


@pytest.mark.parametrize("values", [[1, 0], [1.0, 0.0], [True, False], ["1", "0"], ["1 ", "0"], ["Yes", "no"]])
def test_a_positive_is_known_in_every_spelling(values):
    task = Task.model_validate(BASE | {"positive": 1})
    texts = Columns(Delivered(pd.DataFrame({"left": values})), Reading()).texts("left")
    assert is_positive(task, texts).tolist() == [1, 0]


@pytest.fixture
def installed(bank, csv, tmp_path, monkeypatch):
    """A folder with a drafted task file, in an installation with another lake."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("C360_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("C360_BUILD", str(bank.build))
    monkeypatch.setenv("C360_TOKEN_SECRET", SECRET)
    return tmp_path


def run(*words: str) -> str:
    shown = CliRunner().invoke(app, ["ml", *map(str, words)])
    assert shown.exit_code == 0, shown.output
    return shown.output


def test_from_data_to_explained_scores_by_command_alone(installed, csv):
    run("new", "cards", "--data", csv)
    drafted = yaml.safe_load(Path("cards.yml").read_text())
    assert (drafted["entity"], drafted["label"], drafted["positive"]) == ("client_id", "left", "yes")
    assert set(drafted["exclude"]) == {"closing_letter", "duration"}
    Path("cards.yml").write_text(yaml.safe_dump(drafted | QUICK))
    trained = json.loads(run("train", "cards.yml", "--json"))
    page = Path(trained["card"]).read_text()
    assert "closing_letter" in page and "Calibration" in page
    assert json.loads(run("promote", "cards.yml", "--json"))["champion"] == trained["model_version"]
    run("score", "cards.yml", "--out", "once.parquet")
    run("score", "cards.yml", "--out", "twice.parquet")
    assert Path("once.parquet").read_bytes() == Path("twice.parquet").read_bytes()
    scores = pd.read_parquet("once.parquet")
    assert scores["probability"].is_monotonic_decreasing and len(scores) == ROWS
    assert set(scores["reason_1_code"].dropna()) <= {"early", "balance", "card", "noise"}
    explained = json.loads(run("explain", "cards.yml", "--entity", scores["entity"][0], "--json"))
    assert explained["base"] + sum(item["push"] for item in explained["contributions"]) == pytest.approx(
        explained["margin"], abs=1e-6
    )
    assert explained["probability"] == pytest.approx(scores["probability"][0], abs=1e-12)
    feature_drift = json.loads(run("monitor", "cards.yml", "--json"))
    assert {line["verdict"] for line in feature_drift["drift"]} == {"stable"}
    moved = pd.read_csv(csv, sep=";", na_values="?").assign(balance=9_999)
    moved.to_csv("moved.csv", index=False)
    alarmed = json.loads(run("monitor", "cards.yml", "--data", "moved.csv", "--json"))["drift"]
    assert alarmed[0]["feature"] in ("balance", "(score)") and alarmed[0]["verdict"] == "alert"


@pytest.mark.parametrize(
    ("classes", "positive"), [((0, 1, 1), 1), ((1, 2, 1), 2), (("no", "yes", "yes"), "yes"), (("a", "b", "a"), "b")]
)
def test_a_draft_takes_the_class_that_says_so_or_the_rarer(tmp_path, settings, classes, positive):
    path = tmp_path / "loans.csv"
    pd.DataFrame({"amount": [10, 20, 30, 40] * 75, "class": classes * 100}).to_csv(path, index=False)
    assert yaml.safe_load(draft(settings, "loans", path))["positive"] == positive


def test_a_wrong_command_says_what_to_do(installed, csv):
    for words, message in {
        ("evaluate", "nothing.yml"): "neither a task (churn, .*) nor a task file: draft one with `c360 ml new",
        ("new", "cards", "--data", str(csv), "--label", "card"): "card holds 3 values",
    }.items():
        shown = CliRunner().invoke(app, ["ml", *words])
        assert shown.exit_code == 1
        assert re.search(message.replace("(", r"\(").replace(")", r"\)"), shown.output)
