"""A receipt for people: what was decided, by what, and whether it comes out the same again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import RenderableType
from rich.table import Table

from c360.receipts.files import Receipts
from c360.receipts.replaying import Replayed, replay
from c360.receipts.writing import OF_BARS, OF_FACTS
from lakehouse.language import ENGLISH, Voice
from lakehouse.settings import Settings
from ml_jobs.task_file import load_tasks, phrases, task_said

SHARED = ("publish_id", "business_date", "run_id", "project", "pin", "publish_sha256")
AMOUNTS = frozenset({"amount_at_stake", "expected_amount"})
DECIDED = ("source", "action", "reason", "amount_at_stake", "expected_amount", "channel", "owner", "due_date")
BECAME = ("is_handed_out", "is_allowed", "block_reason", "arm")
SCORED = ("task", "as_of_date", "horizon_days", "score", "band", "rank", "model_version", "model_sha256")
SCORED += ("feature_version", "score_reason")
BOTH = frozenset({"action", "reason", "score_reason"})  # there are two of them, one in each language
CODES = frozenset({"source", "channel", "owner", "block_reason", "arm", "band", "preferred_channel"})
Title = Literal["receipt_decision", "receipt_score", "receipt_facts", "receipt_publish"]
SECTIONS: dict[Title, tuple[str, ...]] = {
    "receipt_decision": (*DECIDED, *BECAME),
    "receipt_score": SCORED,
    "receipt_facts": OF_FACTS,
    "receipt_publish": SHARED,
}


@dataclass(frozen=True)
class Kept:
    """One receipt as it was written, with its features by name."""

    values: dict[str, object]  # of the receipt, with what its publish shares
    features: dict[str, float | None]

    def section(self, title: Title, say: Voice) -> list[tuple[str, str]]:
        """What it says under a title: names and values in words, without what has none."""
        rows = []
        for name in SECTIONS[title]:
            value = self._value(name, title, say)
            if value is not None and not (title == "receipt_score" and self.values["score"] is None):
                is_loss = name == "expected_amount" and self.values["source"] == "early_warning"
                rows.append((say.column("expected_loss_amount" if is_loss else name), _said(name, value, say)))
        return rows

    def _value(self, name: str, title: Title, say: Voice) -> object:
        if name not in BOTH:
            return self.values[f"fact_{name}" if title == "receipt_facts" else name]
        return None if self.values[f"{name}_{say.language}"] is None else say.of(self.values, name)

    def bars(self, say: Voice) -> list[tuple[str, bool]]:
        """Each bar of the contact policy, and whether it was up; none where the policy did not know the customer."""
        if self.values["fact_business_date"] is None:
            return []
        return [(say.code(name.removeprefix("bars_").replace("_", " ")), bool(self.values[name])) for name in OF_BARS]

    def named_features(self, say: Voice) -> list[tuple[str, str]]:
        """The values of the features under the names that the bank gives them."""
        task = load_tasks().get(str(self.values["task"]))
        named = phrases(task) if task else {}
        said = {name: (words.zh if say.language == "zh" else words.en) for name, words in named.items()}
        return [
            (said.get(name, name), say("no value") if value is None else f"{value:,.6g}")
            for name, value in self.features.items()
        ]


@dataclass(frozen=True)
class Shown(Kept):
    """One receipt, and what came of doing it again."""

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
    (again,) = replay(settings, found)
    one = kept(settings.lake, found)
    return Shown(one.values, one.features, again)


def kept(lake: Path, found: Receipts) -> Kept:
    """The receipt that was found, as it was written: nothing is done again."""
    (row,) = found.table.to_pylist()
    about = {name: value for name, value in found.about.items() if name in SHARED}
    values = about | {name: value for name, value in row.items() if name != "features"}
    return Kept(values, _features(lake, row["task"], row["model_version"], row["features"]))


def _features(lake: Path, task: str, version: str, values: list[float] | None) -> dict[str, float | None]:
    """The kept values under the names that the model's card gives; without a card, under their numbers."""
    if values is None:
        return {}
    card = lake / "models" / task / version / "card.json"
    names = json.loads(card.read_text())["features"] if card.exists() else map(str, range(len(values)))
    return {name: None if value != value else value for name, value in zip(names, values, strict=True)}  # NaN: none


def tables(receipt: Shown, say: Voice = ENGLISH) -> Iterator[RenderableType]:
    """What was decided, by which score and which policy, and what came of doing it again."""
    for title in ("receipt_decision", "receipt_publish", "receipt_score"):
        if rows := receipt.section(title, say):
            yield _table(say(title), rows)
    policy = Table(say("receipt_bar"), say("receipt_kept"), say("receipt_again"), title=say("receipt_policy"))
    for name in OF_BARS if receipt.again.bars else ():
        now = (receipt.again.bars or {})[name]
        policy.add_row(say.code(name.removeprefix("bars_").replace("_", " ")), *map(_mark, (receipt.values[name], now)))
    if policy.row_count:
        yield policy
    yield _table(say("receipt_facts"), receipt.section("receipt_facts", say))
    yield say("receipt_same" if receipt.again.is_same else "receipt_differs")
    yield from receipt.again.differences


def _table(title: str, rows: list[tuple[str, str]]) -> Table:
    table = Table(show_header=False, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    return table


def _said(name: str, value: object, say: Voice) -> str:
    """A value in words."""
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, float):
        return f"{value:.4f}"
    if name in AMOUNTS:
        return f"{value:,.2f}"
    if name == "task":
        return task_said(str(value), say)
    return say.code(str(value)) if name in CODES else str(value)


def _mark(is_up: object) -> str:
    return "●" if is_up else "–"
