"""The API, by every role over every route that OpenAPI has: whose rows, and nothing that tells of others."""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from c360 import metrics
from c360.access import Grant, Sees, add_person, add_token, load_roles
from c360.api.app import create_app
from c360.api.resources import CUSTOMERS, RESOURCES
from c360.api.sight import cut_of
from c360.api.snapshot import LEVEL, Snapshot
from lakehouse.lake.page_views import Event, Journal
from lakehouse.settings import Settings
from tests.c360.app.small import CUSTOMERS as KEPT
from tests.c360.app.small import DAY, small_publish
from tests.c360.app.test_access import SEEN

ROOT, FOREVER = "/api/v1", date(9999, 1, 1)
ROWS = tuple({resource.scope for resource in RESOURCES})
KEYS = sorted(key for key, *_ in KEPT)


class Published:
    """In place of what follows the publishes of a store."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def __enter__(self) -> "Published":
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Remembered(Journal):
    """The journal in memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def append(self, events: Sequence[Event]) -> None:
        self.events += events


def publish(number: int = 7) -> Snapshot:
    """The small publish, with two changes, scores and reasons of everybody."""
    small = small_publish()
    tables = {}
    for resource in RESOURCES:
        if rows := small.rows(resource, {}, list(small.columns[resource.name])):
            for row in rows:
                row |= {name: row.get(name) for name in resource.filters}
        else:
            rows = [
                dict.fromkeys(resource.filters) | {"task": "churn", "customer_key": key, "place": n, "change_rank": n}
                for key in KEYS
                for n in ((1, 2) if "task" not in resource.key or "place" in resource.key else (1,))
            ]
        rows.sort(key=lambda row, key=resource.key: tuple(row[name] for name in key))
        if resource is RESOURCES[0]:
            rows = [row | {"birth_year": 1970} for row in rows]
        table = pa.Table.from_pylist(rows)
        levels = {name: b"important" if name == "birth_year" else b"sensitive" for name in table.column_names}
        tables[resource.name] = table.cast(
            pa.schema([field.with_metadata({LEVEL: levels[field.name]}) for field in table.schema])
        )
    return Snapshot(number, DAY, tables)


@pytest.fixture
def current() -> Published:
    return Published(publish())


@pytest.fixture
def journal() -> Remembered:
    return Remembered()


@pytest.fixture
def client(
    settings: Settings, current: Published, journal: Remembered, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    def figures(_: Settings, names: list[str], *asked: Any) -> metrics.Figures:
        return metrics.Figures((), tuple(asked[-1]), (tuple(asked[-1].values()),))

    monkeypatch.setattr(metrics, "query_metrics", figures)
    monkeypatch.setattr(metrics, "list_metrics", lambda _: [])
    with TestClient(create_app(settings, current, journal)) as made:
        yield made


def bearer(settings: Settings, name: str) -> dict[str, str]:
    """The header of a person of the role, of the branch B1 or the manager R1."""
    role = load_roles()[name]
    branch, manager = "B1" if role.sees is Sees.branch else None, "R1" if role.sees is Sees.own else None
    token = add_person(settings.api_tokens, f"S-{name}", name, FOREVER, branch, manager)
    return {"Authorization": f"Bearer {token}"}


def routes(client: TestClient) -> dict[str, str]:
    """Path -> the scope that it needs."""
    needs = {resource.name: resource.scope for resource in RESOURCES} | {"publication": CUSTOMERS}
    paths = client.get(f"{ROOT}/openapi.json").json()["paths"]
    return {
        path: needs.get(path.removesuffix("/{customer_key}").rsplit("/", 1)[-1], "metrics:read")
        for path in paths
        if path != "/health"
    }


def all_rows(client: TestClient, path: str, limit: int, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    rows, after = [], None
    while True:
        asked = {"limit": limit} | ({"after": after} if after else {})
        answer = client.get(path, params=asked, headers=headers).raise_for_status().json()
        rows += answer["rows"]
        if (after := answer["next"]) is None:
            return rows


@pytest.mark.parametrize("name", load_roles())
def test_every_route_shows_a_role_its_own_and_of_others_nothing(
    settings: Settings, client: TestClient, journal: Remembered, name: str
) -> None:
    role, found = load_roles()[name], routes(client)
    everybody = {"Authorization": f"Bearer {add_person(settings.api_tokens, 'S-all', 'risk_officer', FOREVER)}"}
    client.headers |= bearer(settings, name)
    assert len(found) > 10
    for path, scope in found.items():
        if scope not in role.may:
            journal.events.clear()
            answer = client.get(path.format(customer_key="cif:1", name="aum"))
            assert (answer.status_code, answer.json()["detail"]) == (403, f"this token lacks the scope {scope}")
            assert [(one["event_kind"], one["user_name"]) for one in journal.events] == [("refusal", f"S-{name}")]
        elif "{customer_key}" in path:
            one_by_one(client, journal, path, SEEN[name])
        elif "metrics" not in path and "publication" not in path:
            lists(client, journal, path, all_rows(client, path, 100, everybody), name)


def one_by_one(client: TestClient, journal: Remembered, path: str, seen: set[str]) -> None:
    nobody = client.get(path.format(customer_key="cif:nobody"))
    for key in KEYS:
        journal.events.clear()
        answer = client.get(path.format(customer_key=key))
        (event,) = journal.events
        if key in seen:
            assert answer.status_code == 200
            # of whom one sees it may have no action that one sees
            assert event["event_kind"] == "view" and event["customer_key"] in (key, None)
            continue
        assert (answer.status_code, answer.content, dict(answer.headers)) == (404, nobody.content, dict(nobody.headers))
        assert (event["event_kind"], event["customer_key"]) == ("refusal", key)
        again = client.get(path.format(customer_key=key), headers={"If-None-Match": 'W/"7"'})
        assert (again.status_code, again.content) == (404, nobody.content)


def lists(client: TestClient, journal: Remembered, path: str, whole: list[dict[str, Any]], name: str) -> None:
    """``whole``: all rows."""
    (resource,) = (one for one in RESOURCES if path.endswith(one.name))
    journal.events.clear()
    seen = all_rows(client, path, 100)
    assert {one["customer_key"] for one in journal.events} == ({row["customer_key"] for row in seen} or {None})
    mine = {
        Sees.branch: lambda row: row["branch_code"] == "B1",
        Sees.own: lambda row: row["rm_id"] == "R1",
        Sees.listed: lambda row: row["owner"] == "call_centre" and row["is_handed_out"],
    }
    is_theirs = mine.get(load_roles()[name].sees, lambda _: True)
    if resource.name != "worklist":
        is_theirs = lambda row: row["customer_key"] in SEEN[name]  # noqa: E731
    assert seen == [row for row in whole if is_theirs(row)]
    assert all_rows(client, path, 1) == seen  # a page ends, and the last has no next, as if there were no others
    for column in resource.filters:
        for value in sorted({row[column] for row in whole if isinstance(row[column], str)}):
            answer = client.get(path, params={column: value}).json()
            assert answer == {"rows": [row for row in seen if row[column] == value], "next": None}
    for row in whole[1::3]:  # a cursor that somebody else had, or that was made up
        key = [row[name] for name in resource.key]
        cursor = base64.urlsafe_b64encode(json.dumps(key).encode()).decode()
        later = [one for one in seen if [one[name] for name in resource.key] > key]
        assert client.get(path, params={"after": cursor}).json()["rows"] == later


def test_a_system_sees_nothing_above_its_level(settings: Settings, client: TestClient) -> None:
    """Of everybody, and of one; who serves the person sees it."""
    system = {"Authorization": f"Bearer {add_token(settings.api_tokens, 'crm', ROWS, FOREVER)}"}
    adviser, key = bearer(settings, "relationship_manager"), min(SEEN["relationship_manager"])
    for path in (f"{ROOT}/customers/{key}", f"{ROOT}/customers"):
        for headers, is_shown in ((system, False), (adviser, True)):
            answer = client.get(path, headers=headers).raise_for_status().json()
            for row in answer.get("rows", [answer]):
                assert ("birth_year" in row, "home_branch_code" in row) == (is_shown, True)
            asked = client.get(path, headers=headers, params={"fields": "birth_year"})
            assert asked.status_code == (200 if is_shown else 422)
    assert "1970" not in client.get(f"{ROOT}/customers", headers=system, params={"birth_year": 1970}).text


def test_what_one_person_keeps_is_no_answer_to_another(
    settings: Settings, client: TestClient, current: Published
) -> None:
    tags = {}
    for name in ("branch_manager", "relationship_manager", "call_centre", "auditor"):
        headers = bearer(settings, name)
        answer = client.get(f"{ROOT}/customers", headers=headers)
        assert answer.headers["vary"] == "Authorization"
        tags[name] = (answer.headers["etag"], headers)
    assert len({tag for tag, _ in tags.values()}) == len(tags)
    for name, (tag, headers) in tags.items():
        for other, (theirs, _) in tags.items():
            again = client.get(f"{ROOT}/customers", headers=headers | {"If-None-Match": theirs})
            assert again.status_code == (304 if other == name else 200)
            assert re.match(r'W/"7(-\w+)?"', tag)
    current.snapshot = publish(8)
    for tag, headers in tags.values():
        assert client.get(f"{ROOT}/customers", headers=headers | {"If-None-Match": tag}).status_code == 200


def test_figures_are_of_ones_own_branch(settings: Settings, client: TestClient) -> None:
    own = client.get(f"{ROOT}/metrics/aum", headers=bearer(settings, "branch_manager")).json()
    assert own == {"columns": ["home_branch_code"], "rows": [["B1"]]}
    assert client.get(f"{ROOT}/metrics/aum", headers=bearer(settings, "auditor")).json()["rows"] == [[]]


def test_a_stranger_is_written_down_and_a_system_is_not(
    settings: Settings, client: TestClient, journal: Remembered
) -> None:
    assert client.get(f"{ROOT}/customers").status_code == 401
    assert client.get(f"{ROOT}/customers", headers={"Authorization": "Bearer made-up"}).status_code == 401
    told = [(one["event_kind"], one["user_name"], one["page"]) for one in journal.events]
    assert told == 2 * [("refusal", None, "api_customers")]
    client.headers["Authorization"] = f"Bearer {add_token(settings.api_tokens, 'crm', ROWS, FOREVER)}"
    assert client.get(f"{ROOT}/customers").status_code == 200
    assert len(journal.events) == 2


def test_who_sees_nobody_has_empty_lists_whatever_they_may_do() -> None:
    nobody = cut_of(Grant("S1", (), FOREVER, "clerk"), publish())
    assert [nobody.rows(resource).tolist() for resource in RESOURCES] == [[] for _ in RESOURCES]
