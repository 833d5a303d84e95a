"""A store with three made-up tables that is published in milliseconds, and the target's side of an activation."""

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pyarrow as pa
import pytest

from lakehouse import warehouse
from lakehouse.activation.contract import Activation
from lakehouse.settings import Settings
from tests.lakehouse.warehouse.built import Built
from tests.loopback import LoopbackServer

DAY = date(2026, 3, 1)


def contract(target: Mapping[str, object], **changed: object) -> Activation:
    """Scores of customers who may be called, to a target that is asked three times."""
    said = {
        "name": "calls",
        "description": "Scores for calls",
        "table": "scores.made",
        "key": ["customer_key"],
        "columns": ["score", "amount", "as_of_date"],
        "batch_size": 2,
        "retry": {"attempts": 3, "first_wait_seconds": 1, "longest_wait_seconds": 60},
        "target": dict(target),
    }
    return Activation.model_validate(said | changed)


class Store:
    """Scores, a list of actions and the contact policy, published as often as it is told."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._built = Built(settings)

    def publish(self, scores: Mapping[str, float], forbidden: set[str] = frozenset()) -> int:
        """Customer -> score; those who are forbidden may be served, and not called."""
        rows = [f"('{key}', {score})" for key, score in scores.items()] or ["(null, null)"]
        given = f"(values {', '.join(rows)}) as given (customer_key, score)"
        known = "customer_key is not null"
        self._built.model(
            "scores.made",
            f"select cast(customer_key as varchar) as customer_key, cast(score as double precision) as score, "
            f"cast(score * 10 as decimal(18,2)) as amount, date '{DAY}' as as_of_date from {given} where {known}",
        )
        barred = ", ".join(f"'{key}'" for key in forbidden) or "''"
        self._built.model(
            "actions.contact_policy",
            f"select cast(customer_key as varchar) as customer_key, customer_key not in ({barred}) as is_allowed, "
            f"case when customer_key in ({barred}) then 'opted out' end as block_reason, "
            f"true as is_service_allowed, cast(null as varchar) as service_block_reason, "
            f"customer_key = 'control' as is_control from {given} where {known}",
        )
        self._built.model(
            "actions.list",
            f"select cast('a-' || customer_key as varchar) as action_id, "
            f"cast(customer_key as varchar) as customer_key, cast(score as double precision) as score, "
            f"customer_key not in ({barred}) as is_handed_out "
            f"from {given} where {known}",
        )
        return warehouse.publish(self.settings, DAY, "run")


class Made:
    """What one publish shows, without a store."""

    business_date = DAY

    def __init__(self, publish_id: int, scores: Mapping[str, float], forbidden: set[str]) -> None:
        self.publish_id = publish_id
        keys = pa.array(scores, pa.string())
        made = {"score": list(scores.values()), "amount": len(scores) * [1], "as_of_date": len(scores) * [DAY]}
        policy = {"is_allowed": [key not in forbidden for key in scores]}
        policy["block_reason"] = pa.array(["opted out" if key in forbidden else None for key in scores], pa.string())
        policy["service_block_reason"] = pa.array(len(scores) * [None], pa.string())
        policy |= {"is_service_allowed": len(scores) * [True], "is_control": [key == "control" for key in scores]}
        self._tables = {
            "scores.made": pa.table({"customer_key": keys, **made}),
            "actions.contact_policy": pa.table({"customer_key": keys, **policy}),
        }
        listed = {"action_id": pa.array([f"a-{key}" for key in scores], pa.string()), "score": made["score"]}
        listed["is_handed_out"] = policy["is_allowed"]
        self._tables["actions.list"] = pa.table({"customer_key": keys, **listed})
        self.comments = [(name, None, None) for name in self._tables]

    def rows(self, name: str) -> pa.Table:
        return self._tables[name]


class Shop:
    """Publishes at no cost: for tests of what comes after a publish."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch, self._publish_id = patch, 0

    def publish(self, scores: Mapping[str, float], forbidden: set[str] = frozenset()) -> int:
        """As `Store.publish`."""
        self._publish_id += 1
        shown = nullcontext(Made(self._publish_id, scores, forbidden))
        self._patch.setattr(warehouse, "shown", lambda _: shown)
        return self._publish_id


@dataclass
class Crm:
    """What a receiving system does: takes a request once by its key, and keeps the rows."""

    rows: dict[str, dict] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)  # idempotency key -> requests
    applied: list[str] = field(default_factory=list)  # events, in order
    requests: list[dict] = field(default_factory=list)
    headers: list[dict] = field(default_factory=list)
    # answers a request: a status, or a status and whether what it says is done before it is answered
    behave: Callable[[dict], int | tuple[int, bool]] = lambda _: 200

    def take(self, key: str, body: dict) -> int:
        self.requests.append(body)
        judged = self.behave(body)
        status, is_done = judged if isinstance(judged, tuple) else (judged, judged < 300)
        if is_done and key not in self.seen:
            for event in body["changes"]:
                self._apply(event)
        if is_done:
            self.seen[key] = self.seen.get(key, 0) + 1
        return status

    def _apply(self, event: dict) -> None:
        if event["id"] in self.applied:
            return  # the same change in another request: after something newer was published
        self.applied.append(event["id"])
        name = json.dumps(event["key"])
        if event["row"] is None:
            self.rows.pop(name, None)
        else:
            self.rows[name] = event["key"] | event["row"]


class Server(LoopbackServer):
    """A real HTTP server on loopback around a `Crm`; status 0: the connection is cut without an answer."""

    def __init__(self, crm: Crm) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                crm.headers.append(dict(self.headers))
                status = crm.take(self.headers["Idempotency-Key"], body)
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                if status == 429:
                    self.send_header("Retry-After", "7")
                self.send_header("Content-Length", "0")
                self.end_headers()

        super().__init__(Handler, "/changes")


def secret(settings: Settings, name: str, text: str) -> Path:
    """A file of the folder of secrets."""
    path = settings.activation_secrets / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path
