"""Every model of the pipeline stands in the inventory, and what does not is not used."""

import csv
import shutil

import pytest

from lakehouse.lake import pin
from lakehouse.lake.model_files import Known
from lakehouse.warehouse import seeds
from ml_jobs.derived import forecasts, segments
from ml_jobs.errors import CannotScore
from ml_jobs.inventory import ENTRIES, require_entry
from ml_jobs.scores.scoring import Abstained, score
from ml_jobs.task_file import load_tasks
from tests.ml_jobs.made_up import BUSINESS_DATE

MODELS = {*load_tasks(), segments.TASK, forecasts.MODEL}


@pytest.mark.parametrize("model", sorted(MODELS))
def test_every_model_has_an_entry(model):
    require_entry(model)


def test_every_entry_is_of_a_model_that_there_is():
    assert {row["model"] for row in seeds.load_seeds()[ENTRIES].rows()} == MODELS | {"identity_linkage"}


@pytest.fixture
def without_entries(tmp_path, monkeypatch):
    folder = tmp_path / "seeds"
    shutil.copytree(seeds.FOLDER, folder)
    with (folder / f"{ENTRIES}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(seeds.load_seeds()[ENTRIES].columns)
    monkeypatch.setattr(seeds, "FOLDER", folder)


def test_a_model_without_an_entry_is_not_used(bank, without_entries):
    with pytest.raises(CannotScore, match=f"churn has no entry in dbt_project/seeds/{ENTRIES}.csv"):
        require_entry("churn")
    outcome = score(bank, "churn", Known.by(bank, BUSINESS_DATE))
    assert isinstance(outcome, Abstained) and "has no entry" in outcome.reason
    known = pin(bank.lake, BUSINESS_DATE)
    assert "has no entry" in segments.write_segments(bank, known)["reason"]
    assert "has no entry" in forecasts.write_forecasts(bank, known)["reason"]
