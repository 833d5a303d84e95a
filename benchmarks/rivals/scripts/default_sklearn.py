"""A table into a score, as a notebook has it: an estimator of scikit-learn with its defaults, fitted and asked."""

from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

LABEL = "label"
NAMES = ("boosted trees", "logistic regression")


def fit_and_predict(name: str, development: Path, test: Path, predicted: Path) -> dict[str, float]:
    """Write the probability of the outcome of each test row as an array of NumPy; seconds by part.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    development, test : Path
        Parquet files with the features, numbers that may be missing, and the column ``label`` of 0 and 1.
    """
    began = perf_counter()
    fitted_on, judged_on = (pd.read_parquet(path) for path in (development, test))
    read = perf_counter()
    model = _estimator(name).fit(fitted_on.drop(columns=LABEL), fitted_on[LABEL])
    fitted = perf_counter()
    np.save(predicted, np.asarray(model.predict_proba(judged_on.drop(columns=LABEL)))[:, 1])
    return {"read": read - began, "fit": fitted - read, "predict": perf_counter() - fitted}


def _estimator(name: str) -> HistGradientBoostingClassifier | Pipeline:
    if name == "boosted trees":
        return HistGradientBoostingClassifier()
    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
