"""What would be sent now: the rows that one publish shows, by a contract, against what the target has."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import MappingProxyType

import duckdb
from pydantic_core import to_json

from lakehouse import warehouse
from lakehouse.activation.changes import ADDED, DELETED, UPDATED, Change, Difference, Row, difference
from lakehouse.activation.contract import Activation
from lakehouse.activation.ledger import Ledger, Opened
from lakehouse.activation.permission import HANDED_OUT, load, load_bars, said_since
from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.lake.activations import Header
from lakehouse.settings import Settings
from lakehouse.sql import identifier
from lakehouse.warehouse.stores import Shown

NOBODY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Permitted:
    """What may be sent of a table, and what may not."""

    rows: dict[str, Row]  # by key; both as canonical JSON
    left_out: dict[str, int]  # why the bank may not turn to the customer -> rows


@dataclass(frozen=True)
class Plan:
    """What is to be sent: the changes of one publish, or, of a plan under way, those without a receipt."""

    header: Header
    changes: tuple[Change, ...]
    held_back: int  # changes that the target refused: `retry` sends them again
    opened: Opened | None  # the plan under way that goes on
    left_out: Mapping[str, int] = field(default_factory=dict)  # why the policy forbids it -> rows; of a new plan

    @property
    def is_empty(self) -> bool:
        return not self.changes and not self.header["settled"]


def plan(settings: Settings, activation: Activation, again: bool = False, run_id: str = "") -> Plan:
    """What `send` would do now; nothing is written and no target asked.

    Parameters
    ----------
    again : bool
        Send what the target refused once more.

    Raises
    ------
    Stop
        If nothing is published, the contract does not fit the table, or the target is another one than before.
    """
    ledger = Ledger(settings, activation.name)
    _require_same_target(ledger, activation)
    with warehouse.shown(settings) as shown:
        publish_id, business_date = shown.publish_id, shown.business_date
        opened = ledger.opened()
        if opened and _goes_on(opened, activation, publish_id):
            rest = opened.changes[opened.answers.known :]
            return Plan(opened.header, rest, 0, opened)
        permitted = read_permitted(shown, activation, said_since(settings, shown))
    found = difference(permitted.rows, ledger.state(), publish_id, activation.mode == "update_only", again)
    header = _header(activation, found, ledger.next_number(), publish_id, business_date, run_id)
    return Plan(header, found.changes, len(found.held_back), None, permitted.left_out)


def read_permitted(shown: Shown, activation: Activation, since: Mapping[str, str] = NOBODY) -> Permitted:
    """All that may be sent, and why the rest may not.

    Parameters
    ----------
    since
        Customer -> what they have said since the publish.

    Raises
    ------
    Stop
        If the table lacks a column, a column is personal, the key is no key, or nobody can say who may be turned to.
    """
    with duckdb.connect(config={"threads": 1}) as connection:
        if activation.table not in {published for published, _, _ in shown.comments}:
            raise Stop(f"{activation.table} is not published", "correct `table` in the contract")
        columns = load(shown, connection, "given", activation.table)
        _check_columns(activation, columns)
        names = ", ".join(map(identifier, (*activation.key, *activation.columns)))
        barred = _barred(shown, connection, activation, columns, since)
        counts = connection.execute(
            f"select bar, count(*) from ({barred}) where bar is not null group by bar order by 2 desc, 1"
        ).fetchall()
        result = connection.execute(f"select {names} from ({barred}) where bar is null")
        rows: dict[str, Row] = {}
        width = len(activation.key)
        while batch := result.fetchmany(10_000):
            for values in batch:
                if None in values[:width]:
                    raise Stop(f"{activation.name}: a row of {activation.table} has no value for its key")
                key = canonical(activation.key, values[:width])
                if key in rows:
                    raise Stop(
                        f"{activation.name}: several rows of {activation.table} have the same "
                        f"{', '.join(activation.key)}",
                        "name all columns of its key in the contract",
                    )
                rows[key] = Row.of(canonical(activation.columns, values[width:]))
        return Permitted(rows, dict(counts))


def canonical(names: Sequence[str], values: Sequence[object]) -> str:
    """Values by name as JSON, always written alike: dates as ISO text, amounts as text with their decimals.

    >>> canonical(["b", "a"], [1, None])
    '{"b":1,"a":null}'
    """
    return to_json(dict(zip(names, values, strict=True)), inf_nan_mode="null").decode()


def _check_columns(activation: Activation, columns: set[str]) -> None:
    asked = {*activation.key, *activation.columns}
    if missing := sorted(asked - columns):
        raise Stop(f"{activation.name}: {activation.table} has no column {', '.join(missing)}", "correct the contract")
    personal = {column.name for feed in load_feeds().values() for column in feed.columns if column.is_pii}
    if shown := sorted(asked & personal):
        raise Stop(f"{activation.name}: {', '.join(shown)} is personal data, which is not sent", "take it out")


def _barred(
    shown: Shown,
    connection: duckdb.DuckDBPyConnection,
    activation: Activation,
    columns: set[str],
    since: Mapping[str, str],
) -> str:
    """SQL of the rows with the reason against sending them, ``bar``.

    A list says for each row whether it is handed out, which holds for calls and for service alike; of other tables, the
    contact policy of the day decides about the customer.
    """
    if HANDED_OUT in columns:
        why = "coalesce(block_reason, 'control group')" if "block_reason" in columns else "'not handed out'"
        return f"select *, case when {HANDED_OUT} is distinct from true then {why} end as bar from given"
    if activation.purpose == "inform":
        return "select *, cast(null as varchar) as bar from given"
    if "customer_key" not in columns:
        raise Stop(
            f"{activation.name}: {activation.table} says of no customer, so nobody can say who may be turned to",
            "set purpose: inform in the contract, and why",
        )
    return load_bars(shown, connection, activation.purpose, since)


def _goes_on(opened: Opened, activation: Activation, publish_id: int) -> bool:
    """Whether a plan under way is still what is to be sent: readers see its publish, and the contract is the same."""
    header = opened.header
    return header["publish_id"] == publish_id and header["contract_hash"] == _contract_hash(activation)


def _require_same_target(ledger: Ledger, activation: Activation) -> None:
    last = ledger.last_target()
    if last is not None and last[1] != _target_hash(activation):
        raise Stop(
            f"{activation.name} went to {last[0]}, and the contract now says {target_name(activation)}",
            "give the contract a new name: what the new target has is not known",
        )


def target_name(activation: Activation) -> str:
    """Where it goes, without a secret."""
    target = activation.target
    place = target.model_dump(exclude={"kind", "credential", "seconds"})
    return f"{target.kind} {', '.join(map(str, place.values()))}"


def _target_hash(activation: Activation) -> str:
    return _hash(activation.target.model_dump(exclude={"seconds", "credential"}))


def _contract_hash(activation: Activation) -> str:
    return _hash(activation.model_dump(exclude={"description", "why", "retry"}))


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _header(
    activation: Activation, found: Difference, number: int, publish_id: int, business_date: date, run_id: str
) -> Header:
    events = [change.event_id(activation.name, activation.table) for change in found.changes]
    contract_hash = _contract_hash(activation)
    counts = {kind: sum(change.change == kind for change in found.changes) for kind in (ADDED, UPDATED, DELETED)}
    return {
        "activation": activation.name,
        "number": number,
        "plan_id": _hash([activation.name, number, publish_id, contract_hash, events, found.settled]),
        "table": activation.table,
        "target": target_name(activation),
        "target_hash": _target_hash(activation),
        "contract_hash": contract_hash,
        "publish_id": publish_id,
        "business_date": str(business_date),
        "batch_size": activation.batch_size,
        "added": counts[ADDED],
        "updated": counts[UPDATED],
        "deleted": counts[DELETED],
        "settled": list(found.settled),
        "run_id": run_id,
        "planned_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
