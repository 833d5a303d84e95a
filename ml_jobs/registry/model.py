"""A trained model, kept safely in the lake: skops, trusted types, a checksum and a signature."""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import skops.io
from pydantic import SecretStr
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from lakehouse import lake
from lakehouse.errors import Stop
from ml_jobs.learning.classifier import Candidate
from ml_jobs.registry.card import Card, pages

# Beyond scikit-learn's public estimators and arrays, which skops trusts: the nodes of a grown tree, a number's kind.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "numpy.dtype"]
REMEDY = "remove the folder and score again: the model is trained anew"


class UntrustedModel(Stop):
    """A model that this deployment did not sign, or with other content than an estimator and a calibration."""


@dataclass(frozen=True)
class Model:
    """A fitted model with its calibration, and the card that says how good it is.

    With a treatment, ``candidate`` is the risk without it, ``treated`` that with it, and the score their difference.
    """

    candidate: Candidate
    card: Card
    treated: Candidate | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the features, in the order of the estimator."""
        return tuple(self.card["features"])

    def margin(self, values: np.ndarray) -> np.ndarray:
        """(n,) by which customers are ranked: log odds before calibration, or how much a treatment lowers the risk."""
        if self.treated is None:
            return self.candidate.margin(values)
        without, with_it = (risk.probability(risk.margin(values)) for risk in (self.candidate, self.treated))
        return without - with_it

    def probability(self, margin: np.ndarray) -> np.ndarray:
        """Calibrated probability of each margin, which never falls as the margin rises; the effect of a treatment."""
        return self.candidate.probability(margin) if self.treated is None else margin


def feature_version(columns: tuple[str, ...]) -> str:
    """12 hex digits that name the list of features.

    >>> feature_version(("age_years", "aum_amount"))
    '4a2098b2ea8b'
    """
    return hashlib.sha256("\n".join(columns).encode()).hexdigest()[:12]


def library_versions() -> dict[str, str]:
    """Versions of the libraries that a kept model depends on."""
    return {name: version(name) for name in ("scikit-learn", "numpy", "skops")}


def save(model: Model, evaluation: pa.Table, folder: Path, secret: SecretStr) -> None:
    """Write the model, its card, its test rows and a signature; see `save_signed`.

    Parameters
    ----------
    evaluation : pyarrow.Table
        The test rows with the prediction of each score, for figures that are computed later.
    """
    parts = {"estimator": model.candidate.estimator, "calibrator": model.candidate.calibrator}
    if model.treated:
        parts |= {"treated_estimator": model.treated.estimator, "treated_calibrator": model.treated.calibrator}
    save_signed(folder, secret, parts, model.card, {"evaluation": evaluation}, pages(model.card))


def save_signed(
    folder: Path,
    secret: SecretStr,
    parts: Mapping[str, BaseEstimator],
    card: Mapping[str, object],
    tables: dict[str, pa.Table],
    pages: Mapping[str, str] | None = None,
) -> None:
    """Write estimators, their card, tables beside them and a signature; the folder appears whole.

    If another run was faster, its folder stays.

    Parameters
    ----------
    secret : SecretStr
        Of the deployment; without it nobody can sign.
    card : dict
        Becomes ``card.json``.
    pages : mapping of str to str, optional
        Name of a file -> its text.
    """
    content = skops.io.dumps(parts)
    text = json.dumps(
        {**card, "model_sha256": hashlib.sha256(content).hexdigest()}, ensure_ascii=False, indent=1, allow_nan=False
    ).encode()
    with lake.appearing_folder(folder) as temporary:
        _write(temporary / "model.skops", content)
        _write(temporary / "card.json", text)
        for name, page in (pages or {}).items():
            _write(temporary / name, page.encode())
        _write(temporary / "signature", signature(text, secret).encode())
        for name, table in tables.items():
            pq.write_table(table, temporary / f"{name}.parquet", compression="zstd")


def signature(card: bytes, secret: SecretStr) -> str:
    """HMAC-SHA-256 of the card, which names the checksum of the model; its key is derived for this use alone."""
    key = hmac.digest(secret.get_secret_value().encode(), b"c360 model signature", "sha256")
    return hmac.new(key, card, "sha256").hexdigest()


def load(folder: Path, secret: SecretStr) -> Model:
    """The model kept in ``folder``.

    Raises
    ------
    UntrustedModel
        As `load_signed`, or if the content is not a model with a calibration.
    """
    parts, card = load_signed(folder, secret)
    candidate, treated = (_candidate(parts, card, prefix) for prefix in ("", "treated_"))
    if candidate is None or (treated is None and "treated_estimator" in parts):
        raise UntrustedModel(f"{folder / 'model.skops'} holds no model with a calibration: {REMEDY}")
    return Model(candidate, card, treated)


def _candidate(parts: Any, card: Card, prefix: str) -> Candidate | None:
    names = (f"{prefix}estimator", f"{prefix}calibrator")
    match [parts.get(name) for name in names] if isinstance(parts, dict) else None:
        case [
            (HistGradientBoostingClassifier() | Pipeline()) as estimator,
            (IsotonicRegression() | LogisticRegression()) as calibrator,
        ]:
            return Candidate(estimator, calibrator, card["chosen"])
    return None


def load_signed(folder: Path, secret: SecretStr) -> tuple[Any, Any]:
    """The estimators kept in ``folder``, by name, and their card, as JSON has it; the caller checks their types.

    Raises
    ------
    UntrustedModel
        If this deployment did not sign the card, the file is not the one that the card describes, or it holds a type
        that is not trusted.
    """
    text = (folder / "card.json").read_bytes()
    signed = folder / "signature"
    if not signed.exists() or not hmac.compare_digest(signed.read_text(), signature(text, secret)):
        raise UntrustedModel(f"{folder / 'card.json'} is not signed with this deployment's secret: {REMEDY}")
    card = json.loads(text)
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
