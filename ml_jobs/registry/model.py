"""A trained model, and its safe keeping in the lake: skops, trusted types, a checksum and a signature."""

import hashlib
import hmac
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from lakehouse import lake
from lakehouse.errors import Stop
from ml_jobs.learning.classifier import Candidate
from ml_jobs.registry.card import html

# Beyond scikit-learn's public estimators and arrays, which skops trusts: the nodes of a grown tree, a number's kind.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "numpy.dtype"]
REMEDY = "remove the folder and score again: the model is trained anew"


class UntrustedModel(Stop):
    """A model that this deployment did not sign, or that holds anything but an estimator and a calibration."""


@dataclass(frozen=True)
class Model:
    """A fitted model with its calibration, and the card that says what it is worth.

    With a treatment, ``candidate`` is the risk without it, ``treated`` that with it, and the score their difference.
    """

    candidate: Candidate
    card: dict[str, Any]
    treated: Candidate | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.card["features"])

    def margin(self, values: np.ndarray) -> np.ndarray:
        """What customers are ranked by: log odds before calibration, or by how much a treatment lowers the risk."""
        if self.treated is None:
            return self.candidate.margin(values)
        without, with_it = (risk.probability(risk.margin(values)) for risk in (self.candidate, self.treated))
        return without - with_it

    def probability(self, margin: np.ndarray) -> np.ndarray:
        """Calibrated probability of each margin, which never falls as the margin rises; of a treatment its effect."""
        return self.candidate.probability(margin) if self.treated is None else margin


def feature_version(columns: tuple[str, ...]) -> str:
    """12 hex digits that name the list of features."""
    return hashlib.sha256("\n".join(columns).encode()).hexdigest()[:12]


def save(model: Model, evaluation: pa.Table, folder: Path, secret: str) -> None:
    """Write the model, its card, the rows that judged it and a signature; see `keep`.

    Parameters
    ----------
    evaluation : pyarrow.Table
        The rows that judged and what each score says of them, for figures that come later.
    """
    parts = {"estimator": model.candidate.estimator, "calibrator": model.candidate.calibrator}
    if model.treated:
        parts |= {"treated_estimator": model.treated.estimator, "treated_calibrator": model.treated.calibrator}
    keep(folder, secret, parts, model.card, {"evaluation": evaluation}, html)


def keep(
    folder: Path,
    secret: str,
    parts: dict[str, Any],
    card: dict[str, Any],
    tables: dict[str, pa.Table],
    page: Callable[[dict[str, Any]], str] | None = None,
) -> None:
    """Write estimators, their card, tables beside them and a signature; the folder appears whole.

    If another run was faster, its folder stays.

    Parameters
    ----------
    secret : str
        Of the deployment: who does not know it cannot sign.
    page : function of the card, optional
        Makes ``card.html``.
    """
    content = skops.io.dumps(parts)
    card = card | {"model_sha256": hashlib.sha256(content).hexdigest()}
    told = json.dumps(card, ensure_ascii=False, indent=1, allow_nan=False).encode()
    with lake.appearing_folder(folder) as temporary:
        _write(temporary / "model.skops", content)
        _write(temporary / "card.json", told)
        if page:
            _write(temporary / "card.html", page(card).encode())
        _write(temporary / "signature", signature(told, secret).encode())
        for name, table in tables.items():
            pq.write_table(table, temporary / f"{name}.parquet", compression="zstd")


def signature(card: bytes, secret: str) -> str:
    """HMAC-SHA-256 of the card, which names the checksum of the model; the key serves nothing else."""
    key = hmac.digest(secret.encode(), b"c360 model signature", "sha256")
    return hmac.new(key, card, "sha256").hexdigest()


def load(folder: Path, secret: str) -> Model:
    """The model kept in ``folder``.

    Raises
    ------
    UntrustedModel
        As `unpack`, or if it is no model of ours.
    """
    parts, card = unpack(folder, secret)
    candidate, treated = (_candidate(parts, card, prefix) for prefix in ("", "treated_"))
    if candidate is None or (treated is None and "treated_estimator" in parts):
        raise UntrustedModel(f"{folder / 'model.skops'} holds no model with a calibration: {REMEDY}")
    return Model(candidate, card, treated)


def _candidate(parts: Any, card: dict[str, Any], prefix: str) -> Candidate | None:
    names = (f"{prefix}estimator", f"{prefix}calibrator")
    match [parts.get(name) for name in names] if isinstance(parts, dict) else None:
        case [
            (HistGradientBoostingClassifier() | Pipeline()) as estimator,
            (IsotonicRegression() | LogisticRegression()) as calibrator,
        ]:
            return Candidate(estimator, calibrator, card["chosen"])
    return None


def unpack(folder: Path, secret: str) -> tuple[Any, dict[str, Any]]:
    """The estimators kept in ``folder``, and their card.

    Raises
    ------
    UntrustedModel
        If this deployment did not sign the card, the file is not the one that the card describes, or it holds a type
        that is not trusted.
    """
    told = (folder / "card.json").read_bytes()
    signed = folder / "signature"
    if not signed.exists() or not hmac.compare_digest(signed.read_text(), signature(told, secret)):
        raise UntrustedModel(f"{folder / 'card.json'} is not signed with this deployment's secret: {REMEDY}")
    card = json.loads(told)
    content = (folder / "model.skops").read_bytes()
    if hashlib.sha256(content).hexdigest() != card["model_sha256"]:
        raise UntrustedModel(f"{folder / 'model.skops'} is not the file that its card describes: {REMEDY}")
    try:
        return skops.io.loads(content, trusted=TRUSTED), card
    except Exception as error:  # skops raises what the damaged or foreign content leads to
        raise UntrustedModel(f"{folder / 'model.skops'} cannot be trusted ({error}): {REMEDY}") from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
