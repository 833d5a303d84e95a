"""A trained model, and its safe keeping in the lake: skops, a short list of trusted types, and a checksum."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

# Beyond scikit-learn's public estimators and numpy arrays, which skops trusts: the nodes of a grown tree.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


class UntrustedModel(Exception):
    """A model file that is not the one its card describes, or that holds anything but trees and a calibration."""


@dataclass(frozen=True)
class Model:
    """Trees, the map from their margin to a probability, and the card that says what they are worth."""

    trees: HistGradientBoostingClassifier
    calibrator: IsotonicRegression | LogisticRegression
    card: dict[str, Any]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.card["features"])

    def margin(self, values: np.ndarray) -> np.ndarray:
        """Log odds before calibration; what customers are ranked by."""
        with threadpool_limits(1):  # on a busy machine threads wait for each other longer than they work
            return self.trees.decision_function(values)

    def probability(self, margin: np.ndarray) -> np.ndarray:
        """Calibrated probability of each margin; it never falls as the margin rises."""
        if isinstance(self.calibrator, IsotonicRegression):
            return self.calibrator.predict(margin)
        return self.calibrator.predict_proba(margin.reshape(-1, 1))[:, 1]


def feature_version(columns: tuple[str, ...]) -> str:
    """12 hex digits that name the list of features."""
    return hashlib.sha256("\n".join(columns).encode()).hexdigest()[:12]


def save(model: Model, evaluation: pa.Table, folder: Path) -> None:
    """Write ``model.skops``, ``card.json`` and ``evaluation.parquet``; the folder appears whole.

    If another run was faster, its model stays.

    Parameters
    ----------
    evaluation : pyarrow.Table
        The rows of the test month and what each score says of them, for figures that come later.
    """
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex}.tmp")
    temporary.mkdir(parents=True)
    try:
        content = skops.io.dumps({"trees": model.trees, "calibrator": model.calibrator})
        card = model.card | {"model_sha256": hashlib.sha256(content).hexdigest()}
        _write(temporary / "model.skops", content)
        _write(temporary / "card.json", json.dumps(card, ensure_ascii=False, indent=1).encode())
        pq.write_table(evaluation, temporary / "evaluation.parquet", compression="zstd")
        try:
            os.rename(temporary, folder)
        except OSError:
            if not (folder / "card.json").exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load(folder: Path) -> Model:
    """The model kept in ``folder``.

    Raises
    ------
    UntrustedModel
        If the file is not the one the card describes, holds a type that is not trusted, or is no model of ours.
    """
    card = json.loads((folder / "card.json").read_text())
    content = (folder / "model.skops").read_bytes()
    remedy = "remove the folder and score again: the model is trained anew"
    if hashlib.sha256(content).hexdigest() != card.get("model_sha256"):
        raise UntrustedModel(f"{folder / 'model.skops'} is not the file that its card describes: {remedy}")
    try:
        parts = skops.io.loads(content, trusted=TRUSTED)
    except Exception as error:  # skops raises what the damaged or foreign content leads to
        raise UntrustedModel(f"{folder / 'model.skops'} cannot be trusted ({error}): {remedy}") from error
    match parts:
        case {
            "trees": HistGradientBoostingClassifier() as trees,
            "calibrator": (IsotonicRegression() | LogisticRegression()) as calibrator,
        }:
            return Model(trees, calibrator, card)
    raise UntrustedModel(f"{folder / 'model.skops'} holds no trees with a calibration: {remedy}")


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
