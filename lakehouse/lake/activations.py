"""Where the lake keeps what was sent to targets: plans, receipts, and what each target holds.

Below ``activations/<name>/``: ``plans/<number>.parquet`` and, after it, ``.json`` say what is to be sent, in batches;
``receipts/<number>/<batch>.json`` that a batch arrived, or ``receipts/<number>.json`` those of a plan that is done;
``held/<number>.parquet`` what the target has since, and ``sent/<number>.parquet`` what became of each change.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

import pyarrow.compute as pc
import pyarrow.parquet as pq

# why a change that was sent is not known to have arrived
IN_DOUBT = "in doubt"  # it may have: nothing was acknowledged
REFUSED = "refused"  # the target said no: a dead letter
ABSENT = "absent"  # with update_only: the target has no such row


class Header(TypedDict):
    """What a plan is; dates and times are text."""

    activation: str
    number: int
    plan_id: str
    table: str
    target: str
    target_hash: str  # of where it goes: another one has nothing of it yet
    contract_hash: str
    publish_id: int
    business_date: str
    batch_size: int
    added: int
    updated: int
    deleted: int
    settled: list[str]
    run_id: str
    planned_at: str


class Refusal(TypedDict):
    """A change that the target did not take."""

    position: int  # of the change in the plan
    event_id: str
    reason: str  # refused, absent
    error: str


class Receipt(TypedDict):
    """That the target answered about a batch."""

    batch: int
    first: int  # position of its first change
    count: int
    attempts: int
    acknowledged_at: str
    refusals: list[Refusal]


@dataclass(frozen=True)
class Answers:
    """What a target said of a plan, whose batches are sent in order."""

    receipts: Sequence[Receipt]

    @property
    def known(self) -> int:
        """How many changes, from the first on, it has answered about."""
        return sum(receipt["count"] for receipt in self.receipts)

    @cached_property
    def refusals(self) -> dict[int, Refusal]:
        """Of these, those that it did not take, by their position in the plan."""
        return {refusal["position"]: refusal for receipt in self.receipts for refusal in receipt["refusals"]}

    @property
    def delivered(self) -> int:
        """How many it took."""
        return self.known - len(self.refusals)

    def count(self, reason: str) -> int:
        """How many it did not take for a reason."""
        return sum(refusal["reason"] == reason for refusal in self.refusals.values())

    def outcome(self, position: int, unknown: str) -> str:
        """What became of a change: ``delivered``, the reason of its refusal, or, unanswered, ``unknown``."""
        if position >= self.known:
            return unknown
        return self.refusals[position]["reason"] if position in self.refusals else "delivered"


class Delivery(TypedDict):
    """A plan, and what arrived of it; dates and times are text."""

    activation: str
    plan_number: int
    table_name: str
    target: str
    publish_id: int
    business_date: str
    added: int
    updated: int
    deleted: int
    delivered: int
    refused: int
    absent: int
    attempts: int
    is_closed: bool
    planned_at: str
    last_answer_at: str | None
    run_id: str


@dataclass(frozen=True)
class PlanFiles:
    """The files of one plan of an activation."""

    folder: Path
    number: int

    @property
    def changes(self) -> Path:
        return self.folder / "plans" / f"{self.number:06d}.parquet"

    @property
    def header(self) -> Path:
        return self.changes.with_suffix(".json")

    @property
    def held(self) -> Path:
        return self.folder / "held" / f"{self.number:06d}.parquet"

    @property
    def sent(self) -> Path:
        return self.folder / "sent" / f"{self.number:06d}.parquet"

    @property
    def receipts(self) -> Path:
        return self.folder / "receipts" / f"{self.number:06d}.json"

    def receipt(self, batch: int) -> Path:
        """The file of one batch's receipt."""
        return self.receipts.with_suffix("") / f"{batch:06d}.json"

    @property
    def is_closed(self) -> bool:
        return self.held.exists() or self.receipts.exists()  # what the target held after old plans is removed

    def read_header(self) -> Header:
        """What the plan is."""
        return json.loads(self.header.read_text())

    def read_receipts(self) -> list[Receipt]:
        """What arrived of it, in order."""
        if self.receipts.exists():
            return json.loads(self.receipts.read_text())
        folder = self.receipts.with_suffix("")
        return [json.loads(path.read_text()) for path in sorted(folder.glob("[!.]*.json"))]


def delivery_of(files: PlanFiles) -> Delivery:
    """What arrived of a plan."""
    header, receipts = files.read_header(), files.read_receipts()
    answers = Answers(receipts)
    return Delivery(
        activation=header["activation"],
        plan_number=header["number"],
        table_name=header["table"],
        target=header["target"],
        publish_id=header["publish_id"],
        business_date=header["business_date"],
        added=header["added"],
        updated=header["updated"],
        deleted=header["deleted"],
        delivered=answers.delivered,
        refused=answers.count(REFUSED),
        absent=answers.count(ABSENT),
        attempts=sum(receipt["attempts"] for receipt in receipts),
        is_closed=files.is_closed,
        planned_at=header["planned_at"],
        last_answer_at=max((receipt["acknowledged_at"] for receipt in receipts), default=None),
        run_id=header["run_id"],
    )


def read_dead_letters(lake: Path) -> list[dict[str, object]]:
    """Of every activation, the changes that its target did not take, as of its last plan that is closed."""
    letters: list[dict[str, object]] = []
    for folder in sorted((lake / "activations").glob("[!.]*")):
        held = next((plan.held for plan in reversed(plans_of(folder)) if plan.held.exists()), None)
        refused = pc.field("pending_reason").isin([REFUSED, ABSENT])
        rows = pq.read_table(held, filters=refused).to_pylist() if held else []
        letters += [
            {
                "activation": folder.name,
                "row_key": row["key"],
                "reason": row["pending_reason"],
                "change_kind": row["pending_change"],
                "publish_id": row["pending_publish_id"],
                "error": row["error"],
            }
            for row in sorted(rows, key=lambda row: row["key"])
        ]
    return letters


def activation_folder(lake: Path, name: str) -> Path:
    """Where everything about one activation lies."""
    return lake / "activations" / name


def plans_of(folder: Path) -> list[PlanFiles]:
    """The plans of an activation, the oldest first."""
    return [PlanFiles(folder, int(path.stem)) for path in sorted((folder / "plans").glob("[!.]*.json"))]


def all_plans(lake: Path) -> Iterator[PlanFiles]:
    """The plans of all activations, by name."""
    for folder in sorted((lake / "activations").glob("[!.]*")):
        yield from plans_of(folder)
