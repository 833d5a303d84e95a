"""What people send goes from draft to score by the commands, with the right figure; what cannot be read stops by name.

The inputs are made here, of the kinds of ``../shared/cases``.
"""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from c360.cli.main import app
from lakehouse.settings import Settings
from ml_jobs.own_tables.delivered import read_rows
from ml_jobs.own_tables.frames import Table, labelled
from ml_jobs.task_file import Task, load_task
from tests.conftest import SECRET

ROWS = 400
QUICK = {"split": {"folds": 2, "repeats": 1}, "parameters": {"max_iter": 15}, "algorithm": "logistic_regression"}
RANDOM = np.random.default_rng(8)


def people(rows: int = ROWS) -> pd.DataFrame:
    """Customers whose hazard hangs on balance and products."""
    random = np.random.default_rng(4)
    balance, products = random.lognormal(9, 1, rows).round(2), random.integers(1, 6, rows)
    left = random.random(rows) < 1 / (1 + np.exp(1.5 * (np.log(balance) - 9) + 0.8 * (products - 2)))
    return pd.DataFrame(
        {
            "client_id": [f"C{number:05}" for number in range(rows)],
            "age": random.integers(18, 80, rows),
            "balance": balance,
            "products": products,
            "Region": random.choice(["North", "South", "West"], rows),
            "churn": left.astype(int),
        }
    )


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    """An installation without a bank, in the current folder."""
    monkeypatch.setattr("ml_jobs.own_tables.judging.PROCESSES", 1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("C360_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("C360_TOKEN_SECRET", SECRET)
    return tmp_path


def run(*words: object, code: int = 0) -> str:
    shown = CliRunner().invoke(app, [str(word) for word in words])
    assert shown.exit_code == code, shown.output
    assert "Traceback" not in shown.output and "np." not in shown.output
    return shown.output


def drafted(data: Path, *options: str, **changes: object) -> dict:
    run("ml", "new", "task", "--data", data, *options)
    task = yaml.safe_load(Path("task.yml").read_text()) | QUICK | changes
    Path("task.yml").write_text(yaml.safe_dump(task))
    return task


def evaluated() -> dict:
    return json.loads(run("ml", "evaluate", "task.yml", "--json"))


def auc(report: dict) -> float:
    return report["figures"]["model"]["roc_auc"]["value"]


def comma(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


def saved(frame: pd.DataFrame, name: str = "table.csv", sep: str = ",") -> Path:
    frame.to_csv(name, index=False, sep=sep)
    return Path(name)


def encoded(data: Path, *options: str) -> Table:
    """The table as the drafted task file has it encoded."""
    run("ml", "new", "task", "--data", data, *options)
    task = load_task(Path("task.yml"))
    Path("task.yml").unlink()
    return labelled(task, read_rows(Settings.from_env(), task.table, data, task.reading))


@pytest.mark.parametrize(
    "written",
    [
        comma,
        lambda number: f"${number:,.2f}",
        lambda number: f"{number:.2f}".translate(str.maketrans("0123456789", "０１２３４５６７８９")),
        lambda number: f"{number:,.2f}".replace(",", " "),
    ],
)
def test_a_number_in_another_writing_is_the_same_number(written):
    frame = people()
    plain = encoded(saved(frame))
    other = encoded(saved(frame.assign(balance=frame["balance"].map(written)), sep=";"))
    assert other.encoding.source == plain.encoding.source
    assert other.rows.values == pytest.approx(plain.rows.values)


@pytest.mark.parametrize("slip", ["n.a.", "12 (est.)"])
def test_one_text_among_numbers_is_counted_and_named(slip):
    frame = people().astype(str)
    frame.loc[40, "balance"] = slip
    drafted(saved(frame))
    report = evaluated()
    assert f"balance: 1 value of {ROWS} is no number, so missing: line 42" in report["notes"]
    assert "balance" in report["features"] and auc(report) > 0.75


@pytest.mark.parametrize("written", ["%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "%d %b %Y"])
def test_dates_count_as_days_however_many_there_are(written):
    rows = 1_500
    snapshot = np.datetime64("2022-01-31") + np.sort(RANDOM.integers(0, 700, rows))
    days = RANDOM.integers(30, 4_000, rows)
    left = (RANDOM.random(rows) < 1 / (1 + np.exp(days / 300 - 3))).astype(int)
    dated = pd.DataFrame({"client_id": np.arange(rows), "snapshot": snapshot, "churn": left})
    opened = pd.Series(snapshot - days).dt.strftime(written)
    table = encoded(saved(dated.assign(opened=opened)))
    assert table.encoding.encoded == ("opened",)
    assert (table.rows.values[:, 0] == days).all()
    assert table.rows.as_of_date[0] == snapshot[0]


@pytest.mark.parametrize(("key", "month"), [("client_id", True), ("kunde", False), ("account no", True)])
def test_a_panel_of_noise_is_worth_nothing(key, month):
    whom = np.repeat(np.arange(120), 6)
    of_whom = {"age": RANDOM.integers(18, 80, 120), "income": RANDOM.normal(4_000, 900, 120).round(2)}
    frame = pd.DataFrame({key: [f"P{number:04}" for number in whom]})
    if month:
        frame["month"] = np.tile([f"2024-{number:02}-28" for number in range(1, 7)], 120)
    frame = frame.assign(**{name: values[whom] for name, values in of_whom.items()})
    frame["churn"] = (RANDOM.random(120) < 0.3).astype(int)[whom]
    task = drafted(saved(frame))
    assert task["entity"] == key
    report = evaluated()
    assert 0.3 < report["figures"]["hist_gradient_boosting"]["roc_auc"]["value"] < 0.7
    assert "keep groups together" in report["split"]
    # Nor do its rows part where the task file does not say so.
    unsaid = Task.model_validate({name: value for name, value in task.items() if name != "entity"})
    table = labelled(unsaid, read_rows(Settings.from_env(), "table.csv", Path("table.csv")))
    assert any(note.startswith(f"{key} repeats") for note in table.notes)
    assert pd.Series(table.groups).groupby(table.columns.codes(key)).nunique().max() == 1


@pytest.mark.parametrize("scale", [1, 100])
def test_a_whole_number_that_differs_in_every_row_is_a_feature(scale):
    frame = people().assign(income=RANDOM.permutation(np.arange(20_000, 60_000))[:ROWS] * scale)
    frame["churn"] = (RANDOM.random(ROWS) < 1 / (1 + np.exp(frame["income"] / scale / 5_000 - 6))).astype(int)
    drafted(saved(frame))
    report = evaluated()
    assert "income" in report["features"] and auc(report) > 0.75


def test_what_the_task_file_names_is_used():
    frame = people().assign(row_number=range(ROWS), email=[f"a{n % 7}@example.com" for n in range(ROWS)], same=1)
    drafted(saved(frame), features=["balance", "row_number", "email", "same"])
    assert evaluated()["features"] == ["balance", "row_number", "email", "same"]


def test_two_columns_that_may_be_the_label_are_asked():
    frame = people().rename(columns={"churn": "deposit"}).assign(default="no")
    frame.loc[::9, "default"] = "yes"
    shown = run("ml", "new", "task", "--data", saved(frame), code=1)
    assert "several columns may be the label" in shown and "default (" in shown and "deposit (" in shown
    assert drafted(saved(frame), "--label", "deposit")["label"] == "deposit"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.assign(balance=frame["balance"].map(comma)), "balance is written with a decimal comma"),
        (lambda frame: frame.assign(balance=frame["balance"].astype(str) + "%"), "balance is written with %"),
        (lambda frame: frame.assign(balance="high"), "balance holds text, in training numbers"),
        (lambda frame: frame.assign(balance="2024-01-31"), "balance holds dates, in training numbers"),
        (
            lambda frame: frame.assign(balance=frame["balance"].astype(str).where(frame.index > 30, "-")),
            "balance cannot",
        ),
        (lambda frame: frame.assign(balance=""), "balance is always missing"),
        (lambda frame: frame.assign(Region=frame["Region"].str.upper()), "Region holds other values than in training"),
        (lambda frame: frame.drop(columns="balance"), "has no column balance"),
        (lambda frame: frame.drop(columns="client_id"), "has no column client_id"),
    ],
)
def test_scoring_stops_at_the_column_that_cannot_be_read(change, message, trained):
    shown = run("ml", "score", trained, "--data", saved(change(people()), sep=";"), code=1)
    assert message in shown


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ml_jobs.own_tables.judging.PROCESSES", 1)
        patch.chdir(folder)
        patch.setenv("C360_LAKE", str(folder / "lake"))
        patch.setenv("C360_TOKEN_SECRET", SECRET)
        drafted(saved(people()))
        run("ml", "train", "task.yml")
        run("ml", "promote", "task.yml")
    return folder


@pytest.fixture
def trained(model, monkeypatch) -> Path:
    monkeypatch.setenv("C360_LAKE", str(model / "lake"))
    return model / "task.yml"


def test_an_odd_value_or_few_new_ones_do_not_stop_scoring(trained):
    frame = people().astype(str)
    frame.loc[3, "balance"], frame.loc[4, "Region"], frame.loc[5, "age"] = "n.a.", "East", ""
    shown = run("ml", "score", trained, "--data", saved(frame, "table.txt", "|"), "--out", "scores.parquet")
    assert "balance: 1 value of 400 is no number, so missing: line 5" in shown
    assert len(pd.read_parquet("scores.parquet")) == ROWS
    run("ml", "score", trained, "--data", saved(people().head(1)))


@pytest.mark.parametrize("name", ["table.tsv", "table.txt", "table.dat", "table.csv.gz"])
def test_any_delimited_file_goes_from_draft_to_figures(name):
    content = people(200).to_csv(index=False, sep="\t").encode()
    Path(name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    drafted(Path(name))
    assert evaluated()["rows"] == 200


def test_keys_are_texts_and_an_empty_one_is_nobody_s():
    keys = [f"622848000000000{number:05}" for number in range(ROWS)]
    keys[7] = keys[8] = ""
    drafted(saved(people().assign(client_id=keys)))
    assert "2 rows without client_id, each of somebody else: lines 9, 10" in evaluated()["notes"]
    run("ml", "train", "task.yml")
    run("ml", "promote", "task.yml")
    run("ml", "score", "task.yml", "--out", "scores.parquet")
    scored = pd.read_parquet("scores.parquet")["entity"]
    assert scored.isna().sum() == 2 and scored.nunique() == ROWS - 2
    assert run("ml", "explain", "task.yml", "--entity", keys[0])


@pytest.mark.parametrize("offset", ["+08:00", "Z", "-05:00"])
def test_a_moment_is_on_the_bank_s_date(offset):
    at = {"+08:00": "2022-02-01T00:00:00", "Z": "2022-01-31T16:00:00", "-05:00": "2022-01-31T11:00:00"}[offset]
    later = [f"2022-03-{1 + number % 28:02}T12:00:00+08:00" for number in range(ROWS - 200)]
    drafted(saved(people().assign(as_of_date=[at + offset] * 200 + later)))
    shown = Path("table.csv").read_text()
    assert offset in shown and evaluated()["by_month"][0]["group"] == "2022-03"
    text = run("ml", "new", "again", "--data", "table.csv")
    assert "The as-of date is as_of_date: named like one, 29 dates, 2022-02-01 to 2022-03-28" in text


def test_the_figure_with_the_leak_stays_when_the_task_file_excludes_it():
    frame = people()
    frame["closing_letter"] = np.where(frame["churn"] == 1, "sent", "")
    task = drafted(saved(frame))
    assert list(task["exclude"]) == ["closing_letter"]
    report = evaluated()
    assert [leak["feature"] for leak in report["leaks"]] == ["closing_letter"]
    assert "excluded by the task file" in report["leaks"][0]["why"]
    assert report["figures_with_leaks"]["roc_auc"]["value"] > 0.99 > auc(report)
    assert "closing_letter" not in report["features"]
    Path("task.yml").write_text(yaml.safe_dump({key: value for key, value in task.items() if key != "exclude"}))
    assert evaluated()["figures_with_leaks"] == report["figures_with_leaks"]


def test_groups_are_spelt_as_in_the_data():
    drafted(saved(people()), fairness={"Region": []}, segments={"age": [40]})
    report = evaluated()
    assert [line["group"] for line in report["fairness"]["Region"]] == ["North", "South", "West"]
    assert [line["group"] for line in report["segments"]["age"]] == ["below 40", "40 and more"]
    task = yaml.safe_load(Path("task.yml").read_text())
    Path("task.yml").write_text(yaml.safe_dump(task | {"fairness": {"region": []}}))
    shown = run("ml", "evaluate", "task.yml", code=1)
    assert "fairness (region): " in shown and "did you mean Region?" in shown
    assert "# fairness: {age: [30, 45, 60]}" in run("ml", "new", "again", "--data", "table.csv")


def test_no_figure_is_cut_and_every_interval_holds_its_figure():
    drafted(saved(people()))
    shown = run("ml", "evaluate", "task.yml")
    assert "…" not in shown
    for figures in evaluated()["figures"].values():
        assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in figures.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("client_id,churn\n", "no rows"),
        ("client_id,churn\nC1,1\n", "which column is the label"),
        ("client_id,age,churn\nC1,3,1\nC2,4,0,x\n", "line 3 has 4 fields, the header has 3 fields"),
        ("client_id,age,churn\nC1,3,maybe\nC2,4,yes\nC3,5,no\n", "which column is the label? None has two values"),
    ],
)
def test_a_table_that_cannot_be_drafted_says_why(text, message):
    Path("table.csv").write_text(text)
    assert message in run("ml", "new", "task", "--data", "table.csv", code=1)
