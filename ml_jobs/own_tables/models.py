"""Models of users' tables: kept, promoted by rule, and used to score other rows with equal columns.

A model is in ``models/<task>/<version>/`` of the lake, as for the bank's tasks. Its version is a number and the hash of
the data and the task file: one model for each content of both.
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import pandas as pd
import pyarrow as pa

from lakehouse import lake
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.lake.proposals import signed
from lakehouse.settings import Settings
from ml_jobs.learning.bands import bands_of
from ml_jobs.learning.calibration import top_decile
from ml_jobs.learning.classifier import select_model
from ml_jobs.learning.drift import reference_distributions
from ml_jobs.learning.folds import validation_folds
from ml_jobs.learning.metrics import Figure
from ml_jobs.learning.shapley import REASONS, importance, shapley_values, sum_by_feature, top_reasons
from ml_jobs.own_tables.columns import Columns
from ml_jobs.own_tables.delivered import Delivered
from ml_jobs.own_tables.divisions import Division, divisions, scheme, thinned
from ml_jobs.own_tables.encoding import Encoding
from ml_jobs.own_tables.frames import Table, as_of_dates, entities
from ml_jobs.own_tables.judging import evaluate
from ml_jobs.registry.card import Card
from ml_jobs.registry.decision import Decision, breaks_its_promise, decide_alone
from ml_jobs.registry.model import Model, feature_version, library_versions, load, save
from ml_jobs.task_file import Phrase, Task, phrases


class Explanation(TypedDict):
    """One row's score: base and contributions add up to the margin; ``uplift`` is of a task with a treatment."""

    model_version: str
    base: float
    contributions: dict[str, float]  # by feature, the largest first; those of 0 are left out
    margin: float
    probability: float  # without a treatment
    uplift: NotRequired[float]


def train_table(settings: Settings, task: Task, path: Path | None) -> Model:
    """Evaluate the task on its table, fit the model that will score, and keep it in the lake as a challenger."""
    report, table, predictions = evaluate(settings, task, path)
    folder = _folder(settings, task, table)
    if not folder.exists():
        save(_fit(task, table, report, folder.name), predictions.to_table(), folder, settings.token_secret)
    return load(folder, settings.token_secret)


def promote(settings: Settings, task: Task) -> Decision:
    """Decide whether the newest model takes over from the one in use.

    Raises
    ------
    Stop
        If the task has no model yet, or the deployment asks for two names and they are lacking.
    """
    versions = _versions(settings, task)
    if not versions:
        raise Stop(f"{task.task} has no model: train one with `c360 ml train`")
    path = settings.lake / "models" / task.task / "promotions" / f"{versions[-1]}.json"
    if not path.exists():
        decided = _decide(settings, task, versions)
        if decided.get("champion") == versions[-1]:
            _require_two_names(settings, task, versions[-1])
        lake.write_json(path, decided)
    return json.loads(path.read_text())


def _require_two_names(settings: Settings, task: Task, version: str) -> None:
    if not load_deployment(settings.deployment).four_eyes:
        return
    if version not in (one.content for one in signed(settings.lake, "promotion", task.task)):
        raise Stop(
            f"the model {version} waits for two names",
            f"c360 propose promotion {task.task} --by NAME --why REASON, and somebody else: c360 sign; then again",
        )


def champion(settings: Settings, task: Task) -> Model:
    """The model in use.

    Raises
    ------
    ValueError
        If none was promoted yet.
    """
    used = _version_in_use(settings, task)
    if used is None:
        raise Stop(f"{task.task} has no model in use: train one with `c360 ml train`, then `c360 ml promote`")
    return load(settings.lake / "models" / task.task / used, settings.token_secret)


def encode(task: Task, model: Model, delivered: Delivered) -> tuple[np.ndarray, list[str]]:
    """Rows as the model's (n, encoded) numbers, and what is odd about them.

    Raises
    ------
    Stop
        If a column is missing, cannot be read, or is of another kind than in training; its name is given.
    """
    encoding, columns = _columns(task, model, delivered)
    remarks = encoding.check(columns)
    return encoding.encode(columns, as_of_dates(task, delivered)), remarks


def encode_unchecked(task: Task, model: Model, delivered: Delivered) -> np.ndarray:
    """Rows as the model's (n, encoded) numbers, whatever they hold: drift is to be seen, and does not stop."""
    encoding, columns = _columns(task, model, delivered)
    return encoding.encode(columns, as_of_dates(task, delivered))


def _columns(task: Task, model: Model, delivered: Delivered) -> tuple[Encoding, Columns]:
    """The model's encoding, and its columns of the rows, read as in training where they do not show how."""
    encoding = Encoding.from_json(model.card["encoding"])
    there = delivered.frame.columns
    roles = [name for name in (task.entity, task.as_of_date) if name is not None]
    if lacking := [name for name in (*roles, *(column.name for column in encoding.columns)) if name not in there]:
        raise Stop(f"{delivered.name} has no column {', '.join(lacking)}", "deliver what the model was trained on")
    of_model = replace(delivered, frame=delivered.frame[[column.name for column in encoding.columns]])
    texts = [column.name for column in encoding.columns if column.kind == "category"]
    trained = {column.name: column for column in encoding.columns if column.kind != "category"}
    return encoding, Columns(of_model, task.reading, texts, trained)


def score_rows(task: Task, model: Model, delivered: Delivered) -> tuple[pa.Table, list[str]]:
    """Entity, probability, band, rank, and three reasons with their value and words, in order of rank; and remarks."""
    values, remarks = encode(task, model, delivered)
    encoding = Encoding.from_json(model.card["encoding"])
    margin = model.margin(values)
    entity = entities(task, delivered)
    order = np.lexsort((pd.Series(entity, dtype=object).fillna("").to_numpy(dtype=str), -margin))
    rank = np.arange(1, len(order) + 1)
    names, source = _sources(encoding)
    features, pushes_up = top_reasons(model.candidate.estimator, values, source)
    columns: dict[str, Any] = {
        "entity": pa.array(entity[order], pa.string()),
        "probability": model.probability(margin[order]),
        "band": bands_of(task.bands, rank, len(rank)),
        "rank": rank,
    }
    words = phrases(task)
    texts = delivered.frame[names].astype(str).to_numpy(dtype=object)
    for reason in range(REASONS):
        at, is_reason = features[order, reason], pushes_up[order, reason]
        code = np.array(names, dtype=object)[at]
        reasons = [words.get(name, Phrase(en=name, zh=name)) for name in code]
        for part, value in {
            "code": code,
            "value": texts[order, at],
            "en": [phrase.en for phrase in reasons],
            "zh": [phrase.zh for phrase in reasons],
        }.items():
            columns[f"reason_{reason + 1}_{part}"] = pa.array(value, pa.string(), mask=~is_reason, from_pandas=True)
    columns["model_version"] = [model.card["model_version"]] * len(order)
    return pa.table(columns), remarks


def explain(model: Model, values: np.ndarray) -> Explanation:
    """Why one row has its score.

    Parameters
    ----------
    values : (1, columns) array
    """
    contribution, base = shapley_values(model.candidate.estimator, values)
    names, source = list(model.columns), None
    if "encoding" in model.card:
        names, source = _sources(Encoding.from_json(model.card["encoding"]))
        contribution = sum_by_feature(contribution, source)
    margin = model.candidate.margin(values)
    pushes = sorted(zip(names, contribution[0].tolist(), strict=True), key=lambda item: -abs(item[1]))
    explanation: Explanation = {
        "model_version": model.card["model_version"],
        "base": base,
        "contributions": {name: push for name, push in pushes if push},
        "margin": float(margin[0]),
        "probability": float(model.candidate.probability(margin)[0]),
    }
    if model.treated:
        explanation["uplift"] = float(model.margin(values)[0])
    return explanation


def _fit(task: Task, table: Table, report: Card, model_version: str) -> Model:
    """The model that scores: fitted on the development rows if time divides them, otherwise on all rows."""
    rows = table.rows
    if scheme(task, table) == "time":
        (division,) = divisions(task, table)
    else:
        everything = np.arange(len(rows.label))
        division = thinned(task, table, Division(0, everything, validation_folds(rows.label, table.groups), everything))
    fit = division.development
    selection = select_model(task, rows.values[fit], rows.label[fit], table.groups[fit], division.folds)
    test = rows.values[division.test]
    card: Card = report | {
        "task": task.model_dump(mode="json"),
        "task_name": task.task,
        "model": selection.choice,
        "model_name": f"{task.task}-{selection.choice}",
        "model_version": model_version,
        "feature_version": feature_version(rows.columns),
        "features": rows.columns,
        "encoding": table.encoding.to_json(),
        "chosen": selection.selected.parameters,
        "capacity": task.capacity,
        "importance": importance(task, selection, test, table.encoding.source),
        "reference": reference_distributions(rows.values[fit], rows.columns, selection.selected.margin(test)),
        "libraries": library_versions(),
    }
    return Model(selection.selected, card)


def _decide(settings: Settings, task: Task, versions: list[str]) -> Decision:
    folder = settings.lake / "models" / task.task
    challenger = load(folder / versions[-1], settings.token_secret).card
    used = _version_in_use(settings, task)
    decided = decide_alone(task, challenger, used)
    if "champion" in decided or used is None:
        return decided
    incumbent = load(folder / used, settings.token_secret).card
    loss, used_loss = (card["figures"]["model"]["log_loss"] for card in (challenger, incumbent))
    difference: Figure = {
        "value": loss["value"] - used_loss["value"],
        "low": loss["low"] - used_loss["high"],
        "high": loss["high"] - used_loss["low"],
    }
    if difference["low"] > 0:
        return {**decided, "champion": used, "why": "the log loss of the model in use is lower, the intervals apart"}
    if why := breaks_its_promise(decided["top_decile"], top_decile(incumbent.get("promises", [])), difference):
        return {**decided, "champion": used, "why": why}
    why = "the log loss of the model in use is not lower beyond the intervals"
    return {**decided, "champion": versions[-1], "why": why}


def _version_in_use(settings: Settings, task: Task) -> str | None:
    decisions = sorted((settings.lake / "models" / task.task / "promotions").glob("v*.json"))
    return json.loads(decisions[-1].read_text())["champion"] if decisions else None


def _sources(encoding: Encoding) -> tuple[list[str], np.ndarray]:
    """The features, and for each encoded column the position of its feature."""
    names = list(dict.fromkeys(encoding.source))
    return names, np.array([names.index(name) for name in encoding.source])


def _versions(settings: Settings, task: Task) -> list[str]:
    return sorted(folder.name for folder in (settings.lake / "models" / task.task).glob("v[0-9]*-*"))


def _folder(settings: Settings, task: Task, table: Table) -> Path:
    """The folder of these data and this task file: the existing one, or the next."""
    rows = table.rows
    content = hashlib.sha256(task.model_dump_json().encode())
    for part in (
        rows.values.tobytes(),
        rows.label.tobytes(),
        rows.as_of_date.tobytes(),
        "\n".join(rows.columns).encode(),
    ):
        content.update(part)
    name = content.hexdigest()[:12]
    versions = _versions(settings, task)
    version = next((known for known in versions if known.endswith(name)), f"v{len(versions) + 1:04d}-{name}")
    return settings.lake / "models" / task.task / version
