"""The task files: valid, complete, and refused with the file's name and the key when they are not."""

import csv

import pytest
import yaml

from lakehouse.errors import Stop
from lakehouse.settings import PROJECT
from ml_jobs.task_file import FOLDER, load_tasks

PRODUCT_LINES = ("term_deposit", "structured", "wealth", "fund", "precious_metal")


def test_the_bank_s_scores_are_described():
    tasks = load_tasks()
    names = {"churn", "credit_warning", "tier_downgrade", "tier_upgrade", "deposit_churn", "wealth_churn"}
    assert names | {"churn_survival", "uplift_retention", "lead_conversion"} < tasks.keys()
    assert {name.removeprefix("propensity_") for name in tasks if name.startswith("propensity_")} == set(PRODUCT_LINES)
    assert {task.horizon_days for task in tasks.values()} == {90}


def test_every_column_that_a_task_names_is_in_its_models():
    paths = (PROJECT / "dbt_project" / "models" / "features").glob("*__models.yml")
    models = [model for path in paths for model in yaml.safe_load(path.read_text())["models"]]
    columns = {model["name"]: {column["name"] for column in model["columns"]} for model in models}
    for task in load_tasks().values():
        named = {task.baseline and task.baseline.feature, task.population_above and task.population_above[0]}
        if task.activity:
            named |= {task.activity.open, task.activity.recent}
        assert named - {None} <= columns[task.table.removeprefix("features.")]
        assert task.label in columns[task.labels.removeprefix("features.")]


def test_every_product_family_has_its_line():
    with (PROJECT / "dbt_project/seeds/product_lines.csv").open() as file:
        lines = {row["product_family"]: row["product_line"] for row in csv.DictReader(file)}
    assert set(lines.values()) == set(PRODUCT_LINES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon_days": 0}, "horizon_days"),
        ({"labels": "features.label_churn; drop table x"}, "labels"),
        ({"algorithm": "deep_thought"}, "algorithm"),
        ({"surprise": 1}, "surprise: no such key: remove it"),
        ({"label": None}, "label: "),
        ({"horizon_day": 90}, "horizon_day: no such key: did you mean horizon_days"),
        ({"minimum": {"fit_month": 1}}, "did you mean fit_months"),
        ({"labels": None, "population": "loan_count"}, "leave the other rows out"),
        ({"labels": None, "treatment": "is_treated"}, "whose label model has the column"),
        ({"labels": None, "horizons": [30]}, "which follow customers over month-ends"),
        ({"bands": {"high": 0.5, "medium": 0.2}}, "high must be a smaller share"),
        ({"task": "other"}, "name the file other.yml"),
    ],
)
def test_a_wrong_task_file_is_refused(tmp_path, change, message):
    path = tmp_path / "churn.yml"
    path.write_text(yaml.safe_dump(yaml.safe_load((FOLDER / "churn.yml").read_text()) | change))
    with pytest.raises(Stop, match=f"(?s)churn.yml.*{message}"):
        load_tasks(tmp_path)
