"""A model file is believed only if its card vouches for it and it holds nothing but trees and a calibration."""

import hashlib
import json
import shutil
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
import skops.io
from pydantic import SecretStr

from lakehouse.lake.model_files import Known, model_folder
from ml_jobs.registry.model import UntrustedModel, load, save, signature
from ml_jobs.scores.training import train
from ml_jobs.task_file import load_tasks
from tests import conftest
from tests.ml_jobs.made_up import BUSINESS_DATE

SECRET = SecretStr(conftest.SECRET)
NO_ROWS = pa.table({"label": pa.array([], pa.int8())})


@pytest.fixture(scope="module")
def kept(bank):
    train(bank, load_tasks()["churn"], BUSINESS_DATE)
    return model_folder(bank, "churn", Known.by(bank, BUSINESS_DATE))


@pytest.fixture
def copy(kept, tmp_path):
    return shutil.copytree(kept, tmp_path / "model")


def replace_content(folder, content: bytes) -> None:
    """Put other content in the model's place, and let the card vouch for it."""
    (folder / "model.skops").write_bytes(content)
    card = json.loads((folder / "card.json").read_text())
    text = json.dumps(card | {"model_sha256": hashlib.sha256(content).hexdigest()}).encode()
    (folder / "card.json").write_bytes(text)
    (folder / "signature").write_text(signature(text, SECRET))


def test_a_kept_model_says_the_same_as_before(kept, tmp_path):
    model = load(kept, SECRET)
    save(model, NO_ROWS, tmp_path / "again", SECRET)
    again = load(tmp_path / "again", SECRET)
    values = np.random.default_rng(0).normal(size=(100, len(model.columns)))
    margin = model.margin(values)
    assert np.ptp(margin) > 0
    assert (again.margin(values) == margin).all()
    assert (again.probability(margin) == model.probability(margin)).all()


def test_one_changed_byte_is_refused(copy):
    content = bytearray((copy / "model.skops").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "model.skops").write_bytes(content)
    with pytest.raises(UntrustedModel, match="not the file that its card describes: remove the folder"):
        load(copy, SECRET)


def test_a_card_that_was_changed_or_signed_elsewhere_is_refused(copy):
    with pytest.raises(UntrustedModel, match="not signed with this deployment's secret: remove the folder"):
        load(copy, SecretStr("another secret"))
    card = json.loads((copy / "card.json").read_text())
    (copy / "card.json").write_text(json.dumps(card | {"base_rate": 0.5}))
    with pytest.raises(UntrustedModel, match="not signed"):
        load(copy, SECRET)


@pytest.mark.parametrize(
    "content",
    [
        b"no skops file",
        skops.io.dumps(["something", "else"]),
        skops.io.dumps({"estimator": np.arange(3), "calibrator": None}),
        skops.io.dumps({"estimator": shutil.rmtree, "calibrator": None}),
    ],
    ids=["noise", "other data", "no trees", "a function"],
)
def test_foreign_content_is_refused_even_if_the_card_vouches_for_it(copy, content):
    replace_content(copy, content)
    with pytest.raises(UntrustedModel, match=r"trusted|holds no model"):
        load(copy, SECRET)


def test_the_first_of_two_runs_wins_and_nothing_is_left_behind(kept, tmp_path):
    model = load(kept, SECRET)
    folder = tmp_path / "models" / "2025-12-31-abc"
    save(model, NO_ROWS, folder, SECRET)
    first = (folder / "model.skops").stat().st_ino
    save(model, NO_ROWS, folder, SECRET)
    assert (folder / "model.skops").stat().st_ino == first
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_save_that_fails_leaves_nothing(kept, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr("ml_jobs.registry.model.os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        save(load(kept, SECRET), NO_ROWS, tmp_path / "models" / "version", SECRET)
    assert not list((tmp_path / "models").iterdir())


def test_the_card_tells_where_the_model_comes_from(kept):
    card = load(kept, SECRET).card
    assert card["model_version"] == kept.name
    assert card["months"]["test"]["as_of_dates"] == ["2025-07-31", "2025-08-31", "2025-09-30"]
    assert date.fromisoformat(card["months"]["development"]["as_of_dates"][-1]) <= date(2025, 5, 2)
    assert set(card["figures"]) == {"model", "hist_gradient_boosting", "logistic_regression", "rule", "base_rate"}
    assert "NaN" not in (kept / "card.json").read_text()
