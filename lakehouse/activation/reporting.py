"""What was sent and what arrived, for people."""

import pyarrow.parquet as pq

from lakehouse.lake.activations import (
    Answers,
    PlanFiles,
    activation_folder,
    delivery_of,
    plans_of,
    read_dead_letters,
)
from lakehouse.language import ENGLISH
from lakehouse.settings import Settings

Row = dict[str, object]


def deliveries(settings: Settings, name: str) -> list[Row]:
    """Every plan of an activation, and what arrived of it."""
    return [dict(delivery_of(files)) for files in plans_of(activation_folder(settings.lake, name))]


def last_delivery(settings: Settings, name: str) -> str:
    """The last plan in a line."""
    plans = plans_of(activation_folder(settings.lake, name))
    if not plans:
        return ENGLISH("nothing was sent yet")
    last = delivery_of(plans[-1])
    count = last["added"] + last["updated"] + last["deleted"]
    return ENGLISH(
        "publish {number}: {delivered} of {count} arrived, {refused} refused",
        number=last["publish_id"],
        delivered=last["delivered"],
        count=count,
        refused=last["refused"],
    )


def dead_letters(settings: Settings, name: str) -> list[Row]:
    """The changes that the target did not take, and that are still wanted as far as the last plan knew."""
    return [letter for letter in read_dead_letters(settings.lake) if letter["activation"] == name]


def changes_since(settings: Settings, name: str, publish_id: int) -> list[Row]:
    """Every change of the publishes after one, in the order in which they were sent."""
    return [
        row
        for files in plans_of(activation_folder(settings.lake, name))
        if files.read_header()["publish_id"] > publish_id
        for row in _changes(files)
        if int(str(row["publish_id"])) > publish_id
    ]


def _changes(files: PlanFiles) -> list[Row]:
    answers = Answers(files.read_receipts())
    columns = ["position", "event_id", "publish_id", "change", "key"]
    return [
        {
            "plan": files.number,
            **{name: row[name] for name in columns},
            "row": row["content"],
            "outcome": answers.outcome(row["position"], "not delivered"),
        }
        for row in pq.read_table(files.changes, columns=[*columns, "content"]).to_pylist()
    ]
