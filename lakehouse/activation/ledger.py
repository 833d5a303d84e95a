"""An activation's memory in the lake: its plans, what arrived of them, and what the target has.

The cursor is here, and not in the target: whatever the target forgets or says, each change is known to be under way,
arrived or refused.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.activation.changes import Change, Held, Pending, Row, State, after
from lakehouse.catalog import ACTIVATION_CHANGES
from lakehouse.lake.activations import IN_DOUBT, Answers, Header, PlanFiles, Receipt, activation_folder, plans_of
from lakehouse.lake.files import appearing, write_json
from lakehouse.settings import Settings

KEPT_STATES = 3
CHANGES = pa.schema(
    [
        ("position", pa.int64()),
        ("batch", pa.int32()),
        ("event_id", pa.string()),
        ("key", pa.string()),
        ("change", pa.string()),
        ("publish_id", pa.int64()),
        ("row_hash", pa.string()),
        ("content", pa.string()),
    ]
)
HELD = pa.schema(
    [
        ("key", pa.string()),
        ("row_hash", pa.string()),
        ("publish_id", pa.int64()),
        ("pending_reason", pa.string()),
        ("pending_change", pa.string()),
        ("pending_publish_id", pa.int64()),
        ("pending_row_hash", pa.string()),
        ("error", pa.string()),
    ]
)


@dataclass(frozen=True)
class Opened:
    """A plan that is under way."""

    header: Header
    changes: tuple[Change, ...]
    answers: Answers

    @property
    def batch_count(self) -> int:
        return -(-len(self.changes) // self.header["batch_size"])

    def batch(self, number: int) -> tuple[Change, ...]:
        """The changes of a batch; batches are counted from 0."""
        size = self.header["batch_size"]
        return self.changes[number * size : (number + 1) * size]

    @property
    def next_batch(self) -> int:
        """The first that is not acknowledged: they are sent in order, each after the one before it."""
        return len(self.answers.receipts)


class Ledger:
    """What the lake knows of one activation."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.folder: Path = activation_folder(settings.lake, name)

    def opened(self) -> Opened | None:
        """The plan that is under way, if one is."""
        last = self._last()
        return None if last is None or last.is_closed else _read(last)

    def state(self) -> dict[str, Held]:
        """What the target has; of a plan under way, the first batch without a receipt is in doubt."""
        last = self._last()
        if last is None:
            return {}
        if last.is_closed:
            return _read_held(last.held)
        before = next((plan for plan in reversed(plans_of(self.folder)) if plan.is_closed), None)
        return _folded(_read_held(before.held) if before else {}, _read(last))

    def next_number(self) -> int:
        """The number of the next plan."""
        last = self._last()
        return last.number + 1 if last else 1

    def last_target(self) -> tuple[str, str] | None:
        """(what the target is, its hash) of the last plan."""
        last = self._last()
        return (header["target"], header["target_hash"]) if last and (header := last.read_header()) else None

    def begin(self, header: Header, changes: Sequence[Change]) -> Opened:
        """Keep a plan; from here on it is under way."""
        files = PlanFiles(self.folder, header["number"])
        rows = [
            {
                "position": position,
                "batch": position // header["batch_size"],
                "event_id": change.event_id(header["activation"], header["table"]),
                "key": change.key,
                "change": change.change,
                "publish_id": change.publish_id,
                "row_hash": change.row_hash,
                "content": change.row and change.row.content,
            }
            for position, change in enumerate(changes)
        ]
        with appearing(files.changes) as temporary:
            pq.write_table(pa.Table.from_pylist(rows, CHANGES), temporary)
        write_json(files.header, header)
        return Opened(header, tuple(changes), Answers(()))

    def acknowledge(self, number: int, receipt: Receipt) -> None:
        """Keep the receipt of a batch."""
        write_json(PlanFiles(self.folder, number).receipt(receipt["batch"]), receipt)

    def close(self) -> None:
        """End the plan that is under way: done, or overtaken by a new publish."""
        last = self._last()
        if last is None or last.is_closed:
            return
        state = self.state()
        with appearing(last.held) as temporary:
            pq.write_table(pa.Table.from_pylist([_held_row(key, held) for key, held in state.items()], HELD), temporary)
        with appearing(last.sent) as temporary:
            pq.write_table(_outcomes(_read(last)), temporary)
        write_json(last.receipts, last.read_receipts())
        shutil.rmtree(last.receipts.with_suffix(""), ignore_errors=True)
        for outdated in plans_of(self.folder)[:-KEPT_STATES]:
            outdated.held.unlink(missing_ok=True)

    def _last(self) -> PlanFiles | None:
        plans = plans_of(self.folder)
        return plans[-1] if plans else None


def _read(files: PlanFiles) -> Opened:
    rows = pq.read_table(files.changes, schema=CHANGES).to_pylist()
    changes = tuple(
        Change(
            row["key"],
            row["change"],
            row["publish_id"],
            None if row["content"] is None else Row(row["content"], row["row_hash"]),
        )
        for row in rows
    )
    return Opened(files.read_header(), changes, Answers(files.read_receipts()))


def _folded(before: State, plan: Opened) -> dict[str, Held]:
    """What the target has after what it has acknowledged of a plan."""
    refusals = plan.answers.refusals
    taken = (change for position, change in enumerate(plan.changes[: plan.answers.known]) if position not in refusals)
    pending = [
        (plan.changes[position], _pending(plan.changes[position], refusal["reason"], refusal["error"]))
        for position, refusal in sorted(refusals.items())
    ]
    if plan.next_batch < plan.batch_count:
        pending += [(change, _pending(change, IN_DOUBT)) for change in plan.batch(plan.next_batch)]
    return after(before, taken, pending, plan.header["settled"])


def _outcomes(plan: Opened) -> pa.Table:
    """What became of each change."""
    header = plan.header
    in_doubt = plan.answers.known + len(plan.batch(plan.next_batch))
    rows = [
        {
            "activation": header["activation"],
            "plan_number": header["number"],
            "place": place,
            "event_id": change.event_id(header["activation"], header["table"]),
            "table_name": header["table"],
            "publish_id": change.publish_id,
            "business_date": date.fromisoformat(header["business_date"]),
            "change_kind": change.change,
            "row_key": change.key,
            "row_hash": change.row_hash,
            "outcome": plan.answers.outcome(place, IN_DOUBT if place < in_doubt else "not sent"),
        }
        for place, change in enumerate(plan.changes)
    ]
    return pa.Table.from_pylist(rows, ACTIVATION_CHANGES.arrow_schema)


def _pending(change: Change, reason: str, error: str = "") -> Pending:
    return Pending(reason, change.change, change.publish_id, change.row_hash, error)  # type: ignore[arg-type]


def _held_row(key: str, held: Held) -> dict[str, object]:
    row: dict[str, object] = {"key": key, "row_hash": held.row_hash, "publish_id": held.publish_id}
    if (pending := held.pending) is not None:
        row |= {
            "pending_reason": pending.reason,
            "pending_change": pending.change,
            "pending_publish_id": pending.publish_id,
            "pending_row_hash": pending.row_hash,
            "error": pending.error,
        }
    return row


def _read_held(path: Path) -> dict[str, Held]:
    return {
        row["key"]: Held(
            row["row_hash"],
            row["publish_id"],
            Pending(
                row["pending_reason"],
                row["pending_change"],
                row["pending_publish_id"],
                row["pending_row_hash"],
                row["error"],
            )
            if row["pending_reason"]
            else None,
        )
        for row in pq.read_table(path, schema=HELD).to_pylist()
    }
