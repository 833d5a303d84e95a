"""A receipt for people: what was decided, by what, and whether it comes out the same again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table

from c360.receipts.files import Receipts
from c360.receipts.replaying import Replayed, replay
from c360.receipts.writing import OF_BARS, OF_FACTS
from lakehouse.language import ENGLISH, Voice
from lakehouse.settings import Settings

SHARED = ("publish_id", "business_date", "run_id", "project", "pin", "publish_sha256")
DECIDED = ("source", "action_en", "reason_en", "amount_at_stake", "expected_amount", "channel", "owner", "due_date")
BECAME = ("is_handed_out", "is_allowed", "block_reason", "arm")
SCORED = ("task", "as_of_date", "horizon_days", "score", "band", "rank", "model_version", "model_sha256")
SCORED += ("feature_version", "score_reason_en")


@dataclass(frozen=True)
class Shown:
    """One receipt, with its features by name, and what came of doing it again."""

    values: dict[str, object]  # of the receipt, with what its publish shares
    features: dict[str, float | None]
    again: Replayed

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {
            "receipt": self.values,
            "features": self.features,
            "is_same": self.again.is_same,
            "differences": self.again.differences,
            "score_again": self.again.score,
            "bars_again": self.again.bars,
        }


def shown(settings: Settings, found: Receipts) -> Shown:
    """The receipt that was found, done again."""
    (row,) = found.table.to_pylist()
    (again,) = replay(settings, found)
    about = {name: value for name, value in found.about.items() if name in SHARED}
    values = about | {name: value for name, value in row.items() if name != "features"}
    return Shown(values, _features(settings.lake, row["task"], row["model_version"], row["features"]), again)


def _features(lake: Path, task: str, version: str, values: list[float] | None) -> dict[str, float | None]:
    """The kept values under the names that the model's card gives; without a card, under their numbers."""
    if values is None:
        return {}
    card = lake / "models" / task / version / "card.json"
    names = json.loads(card.read_text())["features"] if card.exists() else map(str, range(len(values)))
    return {name: None if value != value else value for name, value in zip(names, values, strict=True)}  # NaN: none


def tables(receipt: Shown, say: Voice = ENGLISH) -> Iterator[RenderableType]:
    """What was decided, by which score and which policy, and what came of doing it again."""
    language = say.language
    for title, names in (("receipt_decision", (*SHARED, *DECIDED, *BECAME)), ("receipt_score", SCORED)):
        table = Table(show_header=False, title=say(title), title_justify="left")
        for name in names:
            value = receipt.values[name.removesuffix("_en") + f"_{language}" if name.endswith("_en") else name]
            if value is not None:
                table.add_row(say.column(name.removesuffix("_en")), str(value))
        if table.row_count > 1 and (title == "receipt_decision" or receipt.values["score"] is not None):
            yield table
    policy = Table(say("receipt_bar"), say("receipt_kept"), say("receipt_again"), title=say("receipt_policy"))
    for name in OF_BARS if receipt.again.bars else ():
        now = (receipt.again.bars or {})[name]
        policy.add_row(say.code(name.removeprefix("bars_").replace("_", " ")), *map(_mark, (receipt.values[name], now)))
    if policy.row_count:
        yield policy
    facts = Table(show_header=False, title=say("receipt_facts"), title_justify="left")
    for name in OF_FACTS:
        facts.add_row(say.column(name), str(receipt.values[f"fact_{name}"]))
    yield facts
    yield say("receipt_same" if receipt.again.is_same else "receipt_differs")
    yield from receipt.again.differences


def _mark(is_up: object) -> str:
    return "●" if is_up else "–"
