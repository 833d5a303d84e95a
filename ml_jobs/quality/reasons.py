"""Whether the reasons that readers see are true: each sentence against the features, the model and the comparison.

Everything is computed anew from the build engine's features and the kept models; of the code that scored only the seed
of phrases is used, which is what is being read out.
"""

import csv
from datetime import date
from functools import cache
from typing import TypedDict

import numpy as np
import pyarrow.compute as pc
from rich.table import Table

from lakehouse import lake, warehouse
from lakehouse.lake.model_files import Known, in_force
from lakehouse.language import ENGLISH, Voice
from lakehouse.settings import PROJECT, Settings
from ml_jobs.learning.rows import Rows
from ml_jobs.learning.shapley import shapley_values
from ml_jobs.registry.model import Model
from ml_jobs.scores.data import read_features
from ml_jobs.scores.promotion import champion
from ml_jobs.task_file import Task, load_tasks, task_named

KIND = "is_enterprise"  # customers of one kind are measured against one usual
CHECKS = {
    "value": "the value is the customer's on that day",
    "direction": "the sentence says high or low as value and comparison do",
    "contribution": "the feature pushes the score up",
    "comparison": "with the value of similar customers the score would be lower",
}
Row = dict[str, object]


class ReasonQuality(TypedDict):
    """How many reasons of a score were read, and how many of them hold, by check."""

    reasons: int
    holds: dict[str, int]


def reason_quality(settings: Settings) -> dict[str, ReasonQuality]:
    """Every published reason, checked; by task, without those that have none."""
    keys = warehouse.query_serving(settings, "select party_key, customer_key from marts.dim_party").to_pylist()
    records: dict[str, list[str]] = {}
    for row in keys:
        records.setdefault(row["customer_key"], []).append(row["party_key"])
    published = warehouse.query_serving(settings, "select * from scores.score_reasons order by customer_key, place")
    quality: dict[str, ReasonQuality] = {}
    for name, task in load_tasks().items():
        shown = published.filter(pc.equal(published["task"], name)).to_pylist()
        if shown:
            model, rows, heard = _scored(settings, task, shown[0]["as_of_date"])
            holds = _holds(model, rows, heard, shown, _positions(shown, records, heard))
            quality[name] = {"reasons": len(shown), "holds": {check: int(holds[check].sum()) for check in CHECKS}}
    return quality


def tables(quality: dict[str, ReasonQuality], say: Voice = ENGLISH) -> list[Table]:
    """`reason_quality` for a person."""
    table = Table(title=say("Reasons: sentences that hold"), title_justify="left", title_style="bold")
    table.add_column("score")
    for name in ("reasons", *CHECKS):
        table.add_column(name, justify="right")
    for task, figures in quality.items():
        shares = (f"{figures['holds'][check] / figures['reasons']:.1%}" for check in CHECKS)
        table.add_row(task_named(task, say), f"{figures['reasons']:,}", *shares)
    table.caption = "; ".join(f"{say.heading(check)}: {say(meaning)}" for check, meaning in CHECKS.items())
    table.caption_justify = "left"
    return [table]


def _scored(settings: Settings, task: Task, day: date) -> tuple[Model, Rows, Rows]:
    """The model that scored the task's customers on a day, their features, and these as people hear them."""
    model = champion(settings, task, in_force(settings, task.task, Known.of(lake.pin(settings.lake, day))))
    codes = tuple(_phrases().get(name, {}).get("said_by") or name for name in model.columns)
    if codes != model.columns and KIND not in codes:
        codes = (*codes, KIND)
    rows, heard = (read_features(settings, task, columns, day) for columns in (model.columns, codes))
    return model, rows, heard


def _positions(shown: list[Row], records: dict[str, list[str]], rows: Rows) -> np.ndarray:
    """The row that each reason was made of, that of the first of the customer's records with these values; else -1."""
    place = {key: position for position, key in enumerate(rows.customer)}
    of_customer: dict[str, list[Row]] = {}
    for row in shown:
        of_customer.setdefault(str(row["customer_key"]), []).append(row)
    made_of = {}
    for key, reasons in of_customer.items():
        known = [place[record] for record in records.get(key, [key]) if record in place]
        same = [position for position in known if all(_is_value(rows, row, position) for row in reasons)]
        made_of[key] = next(iter(same), -1)
    return np.array([made_of[str(row["customer_key"])] for row in shown])


def _is_value(rows: Rows, reason: Row, position: int) -> bool:
    return rows.column(str(reason["reason_code"]))[position] == np.float32(str(reason["reason_value"]))


def _holds(model: Model, rows: Rows, heard: Rows, shown: list[Row], position: np.ndarray) -> dict[str, np.ndarray]:
    """Per check and reason, whether it holds."""
    push, _ = shapley_values(model.candidate.estimator, rows.values)
    if model.treated is not None:
        push = push - shapley_values(model.treated.estimator, rows.values)[0]
    feature = np.array([heard.columns.index(str(row["reason_code"])) for row in shown])
    reference = np.array([row["reason_reference"] for row in shown], dtype=float)
    is_flag = np.array([_phrases()[str(row["reason_code"])]["unit"] == "yes_no" for row in shown])
    value = heard.values[position, feature]
    other = rows.values[position]
    instead = learned_from(rows, heard, position, feature, reference)
    other[np.arange(len(shown)), feature] = np.where(is_flag, 1 - value, instead)
    is_high = value > reference
    return {
        "value": position >= 0,
        "direction": np.array(
            [_says(row, "high" if high else "low") for row, high in zip(shown, is_high, strict=True)]
        ),
        "contribution": push[position, feature] > 0,
        "comparison": model.margin(other) < model.margin(rows.values)[position],
    }


def learned_from(
    rows: Rows, heard: Rows, position: np.ndarray, feature: np.ndarray, reference: np.ndarray
) -> np.ndarray:
    """(reasons,) what the model reads where people hear the reference: as of somebody of the same kind who has it.

    What is learned is what is heard over the usual of the day and the kind, so that the two are in one proportion.
    """
    learned = reference.copy()
    kind = heard.column(KIND) if KIND in heard.columns else np.zeros(len(heard.values))
    for at in np.unique(feature):
        if rows.columns[at] == heard.columns[at]:
            continue
        for of_kind in np.unique(kind):
            chosen = (feature == at) & (kind[position] == of_kind)
            known = (kind == of_kind) & (heard.values[:, at] > 0) & ~np.isnan(rows.values[:, at])
            if chosen.any() and known.any():
                usual = heard.values[known, at].astype(float) / rows.values[known, at]
                learned[chosen] = reference[chosen] / np.median(usual)
    return learned


def _says(reason: Row, direction: str) -> bool:
    """Whether both sentences begin as the seed's phrase for that direction does, and not as the other one's."""
    phrase = _phrases()[str(reason["reason_code"])]
    return reason["direction"] == direction and all(
        str(reason[f"sentence_{language}"]).startswith(phrase[f"{direction}_{language}"].split("{")[0])
        for language in ("en", "zh")
    )


@cache
def _phrases() -> dict[str, dict[str, str]]:
    with (PROJECT / "dbt_project" / "seeds" / "reason_phrases.csv").open(encoding="utf-8") as file:
        return {line["reason_code"]: line for line in csv.DictReader(file)}
