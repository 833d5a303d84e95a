"""The read API shows what is published, to whom it may, in pages that lose and double nothing."""

import stat
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as tries
from pydantic_core import from_json, to_json
from schemathesis.specs.openapi.checks import positive_data_acceptance

from c360 import metrics, pipeline
from c360.access import SCOPES, add_token, read_grants, revoke_token
from c360.api.app import create_app
from c360.api.resources import RESOURCES
from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from tests.pipeline.bank import copy_of
from tests.pipeline.conftest import D3, Undisturbed

FOREVER = date(9999, 1, 1)
ROOT = "/api/v1"


@pytest.fixture(scope="module")
def bank(day_by_day: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A published bank; it may be published again."""
    folder = tmp_path_factory.mktemp("api")
    settings = copy_of(day_by_day.settings, folder)
    return settings.model_copy(update={"api_tokens": folder / "tokens.json", "api_rate": "1000000/hour"})


@pytest.fixture(scope="module")
def client(bank: Settings) -> Iterator[TestClient]:
    """A client that may read everything."""
    headers = {"Authorization": f"Bearer {add_token(bank.api_tokens, 'everything', SCOPES, FOREVER)}"}
    with TestClient(create_app(bank), headers=headers) as client:
        yield client


def published(bank: Settings, sql: str) -> list[dict[str, Any]]:
    """Rows of the store, as JSON has them."""
    return from_json(to_json(warehouse.query_serving(bank, sql).to_pylist(), inf_nan_mode="null"))


def seen(bank: Settings, table: str) -> str:
    """The columns of a table that a system sees: none by which somebody is told from others."""
    columns = f"""
        select column_name from ops.column_levels
        where schema_name || '.' || table_name = '{table}' and security_level <> 'important'
    """
    return ", ".join(warehouse.query_serving(bank, columns)["column_name"].to_pylist())


def pages(client: TestClient, path: str, **asked: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after = None
    while True:
        answer = client.get(path, params={**asked, **({"after": after} if after else {})}).raise_for_status().json()
        rows += answer["rows"]
        if (after := answer["next"]) is None:
            return rows


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_pages_hold_every_row_of_the_table_once(bank: Settings, client: TestClient, resource: Any) -> None:
    expected = published(
        bank, f"select {seen(bank, resource.table)} from {resource.table} order by {', '.join(resource.key)}"
    )
    assert len(expected) > 100
    assert pages(client, f"{ROOT}/{resource.name}", limit=97) == expected


def test_a_customer_has_what_the_tables_say_of_them(bank: Settings, client: TestClient) -> None:
    (busy,) = published(bank, "select customer_key from actions.worklist group by 1 order by count(*) desc, 1 limit 1")
    key = busy["customer_key"]
    assert (
        client.get(f"{ROOT}/customers/{key}").json()
        == published(
            bank,
            f"select {seen(bank, 'marts.customer_360')} from marts.customer_360 where customer_key = '{key}'",
        ).pop()
    )
    for resource in RESOURCES[1:]:
        expected = published(
            bank,
            f"select {seen(bank, resource.table)} from {resource.table} where customer_key = '{key}' "
            f"order by {', '.join(resource.key)}",
        )
        assert client.get(f"{ROOT}/customers/{key}/{resource.name}").json() == {"rows": expected, "next": None}


@pytest.mark.parametrize(
    ("path", "asked", "condition"),
    [
        (
            "customers",
            {"star_tier": 3, "party_type": "P"},
            "marts.customer_360 where star_tier = 3 and party_type = 'P'",
        ),
        ("scores", {"task": "churn", "band": "high"}, "scores.customer_scores where task = 'churn' and band = 'high'"),
        ("worklist", {"is_handed_out": True}, "actions.worklist where is_handed_out"),
        ("changes", {"change_date": str(D3)}, f"marts.customer_changes where change_date = date '{D3}'"),
    ],
)
def test_filters_are_those_of_sql(
    bank: Settings, client: TestClient, path: str, asked: dict[str, Any], condition: str
) -> None:
    found = pages(client, f"{ROOT}/{path}", fields="customer_key", **asked)
    expected = published(bank, f"select customer_key from {condition} order by customer_key")
    assert expected
    assert sorted(found, key=lambda row: row["customer_key"]) == expected


def test_a_metric_is_the_one_of_the_command(bank: Settings, client: TestClient) -> None:
    figures = metrics.query_metrics(bank, ["aum"], ["home_branch_code"])
    answer = client.get(f"{ROOT}/metrics/aum", params={"by": "home_branch_code"}).json()
    assert answer == from_json(to_json({"columns": figures.columns, "rows": figures.rows}))
    named = {metric["name"] for metric in client.get(f"{ROOT}/metrics").json()["metrics"]}
    assert named == {metric.name for metric in metrics.list_metrics(bank)}


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/customers/cif:nobody", 404, "no such customer"),
        ("/customers/cif:nobody/scores", 404, "no such customer"),
        ("/customers?fields=customer_key,phone", 422, "there is no phone"),
        ("/customers?home_branch=B1", 422, "query.home_branch"),
        ("/customers?limit=0", 422, "query.limit"),
        ("/customers?after=xyz", 422, "query.after"),
        ("/customers?after=WzEsMl0=", 422, "query.after"),
        ("/customers?star_tier=gold", 422, "query.star_tier"),
        ("/metrics/no_such", 422, "there is no metric no_such"),
        ("/no_such", 404, "Not Found"),
    ],
)
def test_what_is_wrong_is_said_in_one_form(client: TestClient, path: str, status: int, word: str) -> None:
    answer = client.get(ROOT + path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert word in answer.json()["detail"]


def test_only_who_has_a_token_with_the_scope_is_answered(bank: Settings, client: TestClient) -> None:
    tokens = bank.api_tokens
    scores_alone = add_token(tokens, "scores alone", ("scores:read",), FOREVER)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    expired = add_token(tokens, "expired", SCOPES, yesterday)
    revoked = add_token(tokens, "revoked", SCOPES, FOREVER)
    revoke_token(tokens, "revoked")
    answered = {
        (token, path): client.get(ROOT + path, headers={"Authorization": f"Bearer {token}"}).status_code
        for token in (scores_alone, expired, revoked, "made up")
        for path in ("/scores", "/customers", "/customers/cif:nobody")
    }
    assert answered.pop((scores_alone, "/scores")) == 200
    assert {status for (token, _), status in answered.items() if token == scores_alone} == {403}
    assert {status for (token, _), status in answered.items() if token != scores_alone} == {401}
    without = TestClient(client.app).get(f"{ROOT}/customers")
    assert (without.status_code, without.headers["www-authenticate"]) == (401, "Bearer")
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    assert scores_alone not in tokens.read_text()


def test_every_route_but_health_asks_for_a_token(client: TestClient) -> None:
    paths = client.get(f"{ROOT}/openapi.json").json()["paths"]
    assert len(paths) > 10
    stranger = TestClient(client.app)
    answered = {path: stranger.get(path.format(customer_key="cif:1", name="aum")).status_code for path in paths}
    assert {path for path, status in answered.items() if status != 401} == {"/health"}


def test_a_name_has_one_token_and_a_scope_must_exist(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    add_token(tokens, "crm", ("scores:read",), FOREVER)
    with pytest.raises(Stop, match="crm has a token: c360 api revoke crm"):
        add_token(tokens, "crm", ("scores:read",), FOREVER)
    with pytest.raises(Stop, match="no scope everything"):
        add_token(tokens, "app", ("everything",), FOREVER)
    with pytest.raises(Stop, match="app has no token"):
        revoke_token(tokens, "app")
    assert [grant.name for grant in read_grants(tokens).values()] == ["crm"]
    tokens.write_text("[]")
    with pytest.raises(Stop, match="no list of API tokens"):
        read_grants(tokens)


def test_who_asks_too_often_waits(bank: Settings) -> None:
    token = add_token(bank.api_tokens, "hasty", ("customers:read",), FOREVER)
    with TestClient(create_app(bank.model_copy(update={"api_rate": "3/hour"}))) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        answers = [client.get(f"{ROOT}/publication") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) > 1


def test_a_client_learns_of_a_publish_by_its_tag(bank: Settings, client: TestClient) -> None:
    before = client.get(f"{ROOT}/customers", params={"limit": 1})
    again = {"If-None-Match": before.headers["etag"]}
    assert client.get(f"{ROOT}/customers", params={"limit": 1}, headers=again).status_code == 304
    pipeline.publish_ops(bank, D3, "published again")
    deadline = monotonic() + 30
    while (after := client.get(f"{ROOT}/customers", params={"limit": 1}, headers=again)).status_code == 304:
        assert monotonic() < deadline
        sleep(0.1)
    assert after.json() == before.json()
    assert after.headers["etag"] != before.headers["etag"]


def test_answers_keep_the_contract_of_its_own_openapi(client: TestClient) -> None:
    """Made-up requests, allowed and not, to every route: each answer has a status and a body that OpenAPI names."""

    async def started(scope: Any, receive: Any, send: Any) -> None:
        """The application as the client started it: schemathesis would start it once more, and leave it running."""
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})
        else:
            await client.app(scope, receive, send)

    schema = schemathesis.openapi.from_asgi(f"{ROOT}/openapi.json", started)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 10
    for operation in operations:

        @tries(max_examples=10, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def keeps(case: Any) -> None:
            case.call_and_validate(
                headers={"Authorization": client.headers["Authorization"]},
                # a schema cannot say which pages, columns and dimensions there are
                excluded_checks=[positive_data_acceptance],
            )

        keeps()
