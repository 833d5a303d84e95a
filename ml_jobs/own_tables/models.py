"""Models of tables of one's own: kept, promoted by rule, and used to score other rows of the same columns.

``models/<task>/<version>/`` in the lake, as for the bank's own tasks; the version is a number and the hash of the data
and the task file, so the same data and file are one model.
"""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from lakehouse import lake
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from ml_jobs.learning.classifier import learn
from ml_jobs.learning.drift import reference
from ml_jobs.learning.folds import parts
from ml_jobs.learning.shapley import REASONS, by_source, contributions, importance, top_reasons
from ml_jobs.own_tables.divisions import Division, divisions, scheme
from ml_jobs.own_tables.frames import Encoding, Table, as_of_dates
from ml_jobs.own_tables.judging import evaluate
from ml_jobs.registry.model import Model, feature_version, load, save
from ml_jobs.task_file import Phrase, Task, phrases


def train_table(settings: Settings, task: Task, path: Path | None) -> Model:
    """Judge the task on its table, fit the model that will score, and keep it in the lake as a challenger."""
    report, table, judged = evaluate(settings, task, path)
    folder = _folder(settings, task, table)
    if not folder.exists():
        save(_fitted(task, table, report, folder.name), judged.to_table(), folder, settings.token_secret)
    return load(folder, settings.token_secret)


def promote(settings: Settings, task: Task) -> dict[str, Any]:
    """Decide whether the newest model takes over from the one in use.

    Raises
    ------
    ValueError
        If the task has no model yet.
    """
    versions = _versions(settings, task)
    if not versions:
        raise Stop(f"{task.task} has no model: train one with `c360 ml train`")
    path = settings.lake / "models" / task.task / "promotions" / f"{versions[-1]}.json"
    if not path.exists():
        lake.write_json(path, _decided(settings, task, versions))
    return json.loads(path.read_text())


def champion_of(settings: Settings, task: Task) -> Model:
    """The model in use.

    Raises
    ------
    ValueError
        If none was promoted yet.
    """
    decisions = sorted((settings.lake / "models" / task.task / "promotions").glob("v*.json"))
    used = json.loads(decisions[-1].read_text())["champion"] if decisions else None
    if used is None:
        raise Stop(f"{task.task} has no model in use: train one with `c360 ml train`, then `c360 ml promote`")
    return load(settings.lake / "models" / task.task / used, settings.token_secret)


def encoded(task: Task, model: Model, frame: pd.DataFrame) -> np.ndarray:
    """The rows of a frame as the model's numbers."""
    dates = pd.Series(as_of_dates(task, frame)) if task.as_of_date else None
    return Encoding.from_json(model.card["encoding"]).encode(frame, dates)


def score_frame(task: Task, model: Model, frame: pd.DataFrame) -> pa.Table:
    """Entity, probability, band, rank, and three reasons with their value and words, in order of rank."""
    values = encoded(task, model, frame)
    encoding = Encoding.from_json(model.card["encoding"])
    margin = model.margin(values)
    entity = (frame[task.entity] if task.entity else pd.Series(frame.index)).astype(str).to_numpy(dtype=object)
    order = np.lexsort((entity, -margin))
    rank = np.arange(1, len(order) + 1)
    names, source = _sources(encoding)
    features, pushes_up = top_reasons(model.candidate.estimator, values, source)
    bands = [rank <= task.bands.high * len(rank), rank <= task.bands.medium * len(rank)]
    columns: dict[str, Any] = {
        "entity": entity[order],
        "probability": model.probability(margin[order]),
        "band": np.select(bands, ["high", "medium"], "low"),
        "rank": rank,
    }
    words = phrases(task)
    texts = frame[names].astype(str).to_numpy(dtype=object)
    for reason in range(REASONS):
        at, is_reason = features[order, reason], pushes_up[order, reason]
        code = np.array(names, dtype=object)[at]
        told = [words.get(name, Phrase(en=name, zh=name)) for name in code]
        for part, value in {
            "code": code,
            "value": texts[order, at],
            "en": [phrase.en for phrase in told],
            "zh": [phrase.zh for phrase in told],
        }.items():
            columns[f"reason_{reason + 1}_{part}"] = pa.array(value, pa.string(), mask=~is_reason)
    columns["model_version"] = [model.card["model_version"]] * len(order)
    return pa.table(columns)


def explained(model: Model, values: np.ndarray) -> dict[str, Any]:
    """One row's score: base and contributions, which add up to the margin, and the probability (without a treatment).

    Parameters
    ----------
    values : (1, columns) array
    """
    contribution, base = contributions(model.candidate.estimator, values)
    names, source = list(model.columns), None
    if "encoding" in model.card:
        names, source = _sources(Encoding.from_json(model.card["encoding"]))
        contribution = by_source(contribution, source)
    margin = model.candidate.margin(values)
    pushes = sorted(zip(names, contribution[0].tolist(), strict=True), key=lambda item: -abs(item[1]))
    return {
        "model_version": model.card["model_version"],
        "base": base,
        "contributions": {name: push for name, push in pushes if push},
        "margin": float(margin[0]),
        "probability": float(model.candidate.probability(margin)[0]),
    } | ({"uplift": float(model.margin(values)[0])} if model.treated else {})


def _fitted(task: Task, table: Table, report: dict[str, Any], model_version: str) -> Model:
    """Fitted as the divisions were: on the rows that train if time divides them, otherwise on all."""
    rows = table.rows
    if scheme(task) == "time":
        (division,) = divisions(task, table)
    else:
        everything = np.arange(len(rows.label))
        division = Division(0, everything, parts(rows.label, table.groups), everything)
    own = division.development
    learned = learn(task, rows.values[own], rows.label[own], table.groups[own], division.parts)
    judged = rows.values[division.test]
    card = report | {
        "task": task.model_dump(mode="json"),
        "task_name": task.task,
        "model": learned.choice,
        "model_name": f"{task.task}-{learned.choice}",
        "model_version": model_version,
        "feature_version": feature_version(rows.columns),
        "features": rows.columns,
        "encoding": table.encoding.to_json(),
        "chosen": learned.chosen.chosen,
        "capacity": task.capacity,
        "importance": importance(task, learned, judged, rows.columns, table.encoding.source),
        "reference": reference(rows.values[own], rows.columns, learned.chosen.margin(judged)),
        "libraries": {name: version(name) for name in ("scikit-learn", "numpy", "skops")},
    }
    return Model(learned.chosen, card)


def _decided(settings: Settings, task: Task, versions: list[str]) -> dict[str, Any]:
    folder = settings.lake / "models" / task.task
    challenger = load(folder / versions[-1], settings.token_secret).card
    area = challenger["figures"]["model"]["roc_auc"]["value"]
    decisions = sorted((folder / "promotions").glob("v*.json"))
    used = json.loads(decisions[-1].read_text())["champion"] if decisions else None
    told = {"challenger": versions[-1], "incumbent": used, "challenger_roc_auc": area}
    if area < task.promotion.minimum_roc_auc:
        why = f"the challenger's ROC AUC, {area:.3f}, is below {task.promotion.minimum_roc_auc}"
        return told | {"champion": used, "why": f"{why} (promotion.minimum_roc_auc)"}
    if used is None:
        return told | {"champion": versions[-1], "why": "there was no model in use"}
    incumbent = load(folder / used, settings.token_secret).card
    losses = [card["figures"]["model"]["log_loss"] for card in (challenger, incumbent)]
    if losses[1]["high"] < losses[0]["low"]:
        return told | {"champion": used, "why": "the log loss of the model in use is lower, the intervals apart"}
    return told | {
        "champion": versions[-1],
        "why": "the log loss of the model in use is not lower beyond the intervals",
    }


def _sources(encoding: Encoding) -> tuple[list[str], np.ndarray]:
    """The features, and for each encoded column the position of its feature."""
    names = list(dict.fromkeys(encoding.source))
    return names, np.array([names.index(name) for name in encoding.source])


def _versions(settings: Settings, task: Task) -> list[str]:
    return sorted(folder.name for folder in (settings.lake / "models" / task.task).glob("v[0-9]*-*"))


def _folder(settings: Settings, task: Task, table: Table) -> Path:
    """Of these data and this task file: the one that is there, or the next."""
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
    own = next((known for known in versions if known.endswith(name)), f"v{len(versions) + 1:04d}-{name}")
    return settings.lake / "models" / task.task / own
