"""Whether the reasons that readers see are true: each sentence against the features, the model and the comparison.

Everything is computed anew from the build engine's features and the kept models; of the code that scored only the seed
of phrases is used, which is what is being read out.
"""

import csv
from collections import Counter
from datetime import date
from functools import cache
from typing import TypedDict

import numpy as np
import pyarrow as pa
from rich.table import Table

from lakehouse import lake, warehouse
from lakehouse.lake.model_files import Known, in_force
from lakehouse.settings import PROJECT, Settings
from ml_jobs.learning.rows import Rows
from ml_jobs.learning.shapley import shapley_values
from ml_jobs.registry.model import Model
from ml_jobs.scores.data import read_features
from ml_jobs.scores.promotion import champion
from ml_jobs.task_file import Task, load_tasks

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
        shown = published.filter(pa.compute.equal(published["task"], name)).to_pylist()
        if not shown:
            continue
        day = shown[0]["as_of_date"]
        model, rows = _scored(settings, task, day)
        holds = Counter()
        for reasons, position in _positions(shown, records, rows):
            holds.update(_checked(model, rows, reasons, position))
        quality[name] = {"reasons": len(shown), "holds": {check: holds[check] for check in CHECKS}}
    return quality


def tables(quality: dict[str, ReasonQuality]) -> list[Table]:
    """`reason_quality` for a person."""
    table = Table(title="Reasons: sentences that hold", title_justify="left", title_style="bold")
    table.add_column("score")
    for name in ("reasons", *CHECKS):
        table.add_column(name, justify="right")
    for task, figures in quality.items():
        shares = (f"{figures['holds'][check] / figures['reasons']:.1%}" for check in CHECKS)
        table.add_row(task, f"{figures['reasons']:,}", *shares)
    table.caption = "; ".join(f"{check}: {meaning}" for check, meaning in CHECKS.items())
    table.caption_justify = "left"
    return [table]


def _scored(settings: Settings, task: Task, day: date) -> tuple[Model, Rows]:
    """The model that scored the task's customers on a day, and their features."""
    model = champion(settings, task, in_force(settings, task.task, Known.of(lake.pin(settings.lake, day))))
    return model, read_features(settings, task, model.columns, day)


def _positions(shown: list[Row], records: dict[str, list[str]], rows: Rows) -> list[tuple[list[Row], int]]:
    """The reasons of each customer, and the row that they were made of; -1 if no record's row has these values."""
    place = {key: position for position, key in enumerate(rows.customer)}
    of_customer: dict[str, list[Row]] = {}
    for row in shown:
        of_customer.setdefault(str(row["customer_key"]), []).append(row)
    found = []
    for key, reasons in of_customer.items():
        known = [place[record] for record in records.get(key, [key]) if record in place]
        same = [position for position in known if all(_is_value(rows, row, position) for row in reasons)]
        found.append((reasons, next(iter(same), -1)))
    return found


def _is_value(rows: Rows, reason: Row, position: int) -> bool:
    return rows.column(str(reason["reason_code"]))[position] == np.float32(reason["reason_value"])


def _checked(model: Model, rows: Rows, reasons: list[Row], position: int) -> list[str]:
    """The checks that hold, once per reason for which they do."""
    if position < 0:
        return []
    values = rows.values[position : position + 1]
    push, _ = shapley_values(model.candidate.estimator, values)
    if model.treated is not None:
        push = push - shapley_values(model.treated.estimator, values)[0]
    holds = []
    for reason in reasons:
        feature = rows.columns.index(str(reason["reason_code"]))
        value, reference = values[0, feature], float(str(reason["reason_reference"]))
        other = values.copy()
        other[0, feature] = 1 - value if _phrases()[rows.columns[feature]]["unit"] == "yes_no" else reference
        holds += ["value"]
        holds += ["direction"] * _says(reason, "high" if value > reference else "low")
        holds += ["contribution"] * bool(push[0, feature] > 0)
        holds += ["comparison"] * bool(model.margin(other)[0] < model.margin(values)[0])
    return holds


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
