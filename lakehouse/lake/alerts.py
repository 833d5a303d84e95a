"""Where the lake keeps who was told of what: the log of alerts, and the cases that are open after each entry of it.

Below ``alerts/``: ``log/<number>.json``, one file for each message, each acknowledgement and each time that cases
ended; ``open/<number>.json``, the cases that are open after that entry. The log alone is enough: ``open`` is what it
comes to, so that nobody reads all of it again.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

from lakehouse.lake.files import write_json

KEPT_STATES = 3
Kind = Literal["sent", "refused", "unreachable", "acknowledged", "over"]


class CaseState(TypedDict):
    """A case of a rule, and the hash of what would make it news again."""

    case: str
    state: str


class Entry(TypedDict):
    """One event; dates and times (UTC) are text."""

    kind: Kind
    at: str
    rule: str
    cases: list[CaseState]
    receiver: NotRequired[str]  # of messages
    message_id: NotRequired[str]
    severity: NotRequired[str]
    target: NotRequired[str]
    publish_id: NotRequired[int]
    business_date: NotRequired[str]
    attempts: NotRequired[int]
    error: NotRequired[str | None]
    run_id: NotRequired[str]
    by: NotRequired[str]  # of acknowledgements
    why: NotRequired[str]


@dataclass(frozen=True)
class Told:
    """That a receiver was told of a case."""

    state: str
    message_id: str
    at: str


@dataclass(frozen=True)
class Acknowledged:
    """That somebody has taken a case on: nobody is told of it until it changes."""

    state: str
    by: str
    why: str
    at: str


@dataclass(frozen=True)
class OpenCase:
    """What is known of a case for as long as it lasts."""

    told: Mapping[str, Told] = field(default_factory=dict)  # by receiver
    acknowledged: Acknowledged | None = None


@dataclass(frozen=True)
class State:
    """What the log comes to."""

    cases: Mapping[tuple[str, str], OpenCase] = field(default_factory=dict)  # that are open, by rule and case
    ended: Mapping[str, int] = field(default_factory=dict)  # how often cases of a rule ended

    def of(self, rule: str, case: str) -> OpenCase:
        """What is known of a case."""
        return self.cases.get((rule, case), OpenCase())


def folder_of(lake: Path) -> Path:
    """Where everything about alerts lies."""
    return lake / "alerts"


def read_log(lake: Path) -> list[tuple[int, Entry]]:
    """Every entry with its number, the oldest first."""
    return [(int(path.stem), json.loads(path.read_text())) for path in _files(lake, "log")]


def read_state(lake: Path) -> State:
    """The cases that are open as of the last entry of the log."""
    states = _files(lake, "open")
    known = int(states[-1].stem) if states else 0
    state = _state_of(json.loads(states[-1].read_text())) if states else State()
    for path in _files(lake, "log"):
        if int(path.stem) > known:  # noted, and cut off before the state was
            state = after(state, json.loads(path.read_text()))
    return state


def append(lake: Path, entry: Entry, state: State) -> State:
    """Note an entry; returns what the log comes to with it. One process at a time: the caller has the lock."""
    log = _files(lake, "log")
    number = int(log[-1].stem) + 1 if log else 1
    write_json(folder_of(lake) / "log" / f"{number:08}.json", entry)
    now = after(state, entry)
    rows = [{"rule": rule, "case": case} | asdict(one) for (rule, case), one in now.cases.items()]
    write_json(folder_of(lake) / "open" / f"{number:08}.json", {"cases": rows, "ended": now.ended})
    for outdated in _files(lake, "open")[:-KEPT_STATES]:
        outdated.unlink(missing_ok=True)
    return now


def after(state: State, entry: Entry) -> State:
    """What the log comes to after an entry."""
    cases, rule = dict(state.cases), entry["rule"]
    if entry["kind"] == "over":
        for case in entry["cases"]:
            cases.pop((rule, case["case"]), None)
        return State(cases, {**state.ended, rule: state.ended.get(rule, 0) + 1})
    for case in entry["cases"]:
        before = state.of(rule, case["case"])
        if entry["kind"] == "acknowledged":
            taken = Acknowledged(case["state"], entry.get("by", ""), entry.get("why", ""), entry["at"])
            cases[rule, case["case"]] = replace(before, acknowledged=taken)
        elif entry["kind"] == "sent":
            told = Told(case["state"], entry.get("message_id", ""), entry["at"])
            cases[rule, case["case"]] = replace(before, told={**before.told, entry.get("receiver", ""): told})
    return State(cases, state.ended)


def _state_of(content: dict) -> State:
    cases = {
        (row["rule"], row["case"]): OpenCase(
            {receiver: Told(**told) for receiver, told in row["told"].items()},
            Acknowledged(**row["acknowledged"]) if row["acknowledged"] else None,
        )
        for row in content["cases"]
    }
    return State(cases, content["ended"])


def _files(lake: Path, kind: str) -> list[Path]:
    return sorted((folder_of(lake) / kind).glob("[!.]*.json"))
