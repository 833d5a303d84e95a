"""The application: routes under ``/api/v1`` for every resource, its OpenAPI, and who may ask how often."""

import base64
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from math import ceil
from typing import Annotated, Any, cast

import pyarrow as pa
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic_core import to_json
from starlette.responses import Response

from c360 import metrics
from c360.access import Register, Sees, hash_of
from c360.api import problems
from c360.api.following import Current
from c360.api.resources import CUSTOMERS, METRICS, RESOURCES, Resource
from c360.api.snapshot import Column, Snapshot
from lakehouse.settings import Settings

NO_CURSOR = "query.after: this is no `next` of a page of this list"
PAGE, LARGEST_PAGE = 100, 1000
AS_IT_WAS: dict[int | str, dict[str, Any]] = {304: {"description": "As it was: nothing has been published since"}}
CustomerKey = Annotated[str, Path(description="Customer, as `cif:…`")]
(CUSTOMER,) = (resource for resource in RESOURCES if not resource.is_of_customer)


class Fields(BaseModel):
    """What one row may be asked for; unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid")

    fields: str | None = Field(None, description="Columns to return, with commas between them; by default all")


class Page(Fields):
    """What every list may be asked for."""

    limit: int = Field(PAGE, ge=1, le=LARGEST_PAGE, description="Rows of a page")
    after: str | None = Field(None, description="`next` of the page before")


class Period(BaseModel):
    """What a metric may be asked for."""

    model_config = ConfigDict(extra="forbid")

    by: str | None = Field(None, description="Dimensions, or day, week, month, quarter or year, with commas")
    first: date | None = Field(None, alias="from", description="First day")
    last: date | None = Field(None, alias="to", description="Last day")


class Doorkeeper:
    """Lets through who has a token with the scope, and has not asked too often."""

    def __init__(self, settings: Settings) -> None:
        self._register = Register(settings.api_tokens)
        self._rate: RateLimitItem = parse(settings.api_rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def admit(self, token: str | None, scope: str) -> None:
        """Raise 401, 403 or 429, unless the bearer may ask now."""
        if token is None:
            raise HTTPException(401, "send a token: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
        grant = self._register.find(hash_of(token), datetime.now(UTC).date())
        if grant is None:
            raise HTTPException(401, "this token is not known, or not any more", {"WWW-Authenticate": "Bearer"})
        if not self._limiter.hit(self._rate, grant.name):
            free_at = self._limiter.get_window_stats(self._rate, grant.name).reset_time
            wait = max(1, ceil(free_at - datetime.now(UTC).timestamp()))
            raise HTTPException(429, f"more than {self._rate}: wait {wait} s", {"Retry-After": str(wait)})
        if grant.sees is not Sees.all:  # no answer here is cut to a branch or manager
            raise HTTPException(403, "this token is a person's, who sees some customers: sign in to the workbench")
        if not grant.may(scope):
            raise HTTPException(403, f"this token lacks the scope {scope}")


def create_app(settings: Settings, current: Current | None = None) -> FastAPI:
    """The application over the published store; raises ``Stop`` if nothing is published yet."""
    current = current or Current(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        with current:
            yield

    app = FastAPI(
        title="c360",
        version="1",
        summary="Customers, their scores with reasons, and what is to be done, as published.",
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # its page loads scripts from the internet
        redoc_url=None,
    )
    problems.install(app)
    doorkeeper = Doorkeeper(settings)
    bearer = HTTPBearer(auto_error=False)

    def needs(scope: str) -> Any:
        async def admitted(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
            doorkeeper.admit(given.credentials if given else None, scope)

        return Depends(admitted)

    router = APIRouter(prefix="/api/v1")
    for resource in RESOURCES:
        _add_lists(router, resource, current, needs(resource.scope))
    _add_customer(router, current, needs(CUSTOMER.scope))
    _add_metrics(router, settings, current, needs(METRICS))

    @router.get("/publication", summary="What is published", dependencies=[needs(CUSTOMERS)])
    async def publication() -> dict[str, object]:
        shown = current.snapshot
        return {"publish_id": shown.publish_id, "business_date": shown.business_date}

    @app.get("/health", summary="Whether it answers; needs no token")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    app.include_router(router, responses=problems.described(401, 403, 422, 429))
    return app


def _add_lists(router: APIRouter, resource: Resource, current: Current, dependency: Any) -> None:
    """All rows of the resource, and those of one customer where it has some per customer."""
    columns = current.snapshot.columns[resource.name]
    row = _row_model(resource, columns)
    page = create_model(f"{row.__name__}Page", rows=(list[row], ...), next=(str | None, ...))
    filters = {
        name: (_type(columns[name].type) | None, Field(None, description=columns[name].comment))
        for name in resource.filters
    }
    query = create_model(f"{row.__name__}Query", __base__=Page, **cast("Any", filters))
    described = {200: {"model": page}} | AS_IT_WAS

    def answer(request: Request, asked: Page, customer_key: str | None = None) -> Response:
        shown = current.snapshot  # one publish for all of an answer
        fixed = asked.model_dump(include=set(resource.filters), exclude_none=True)
        if customer_key is not None:
            _require(shown, customer_key)
            fixed["customer_key"] = customer_key
        return _page(request, shown, resource, asked, fixed)

    async def listed(request: Request, asked: Annotated[query, Query()]) -> Response:  # type: ignore[valid-type]
        return answer(request, asked)

    async def of_customer(
        request: Request,
        customer_key: CustomerKey,
        asked: Annotated[query, Query()],  # type: ignore[valid-type]
    ) -> Response:
        return answer(request, asked, customer_key)

    add = partial(router.add_api_route, methods=["GET"], dependencies=[dependency])
    add(f"/{resource.name}", listed, summary=f"All of {resource.table}", responses=described)
    if resource.is_of_customer:
        add(
            f"/customers/{{customer_key}}/{resource.name}",
            of_customer,
            summary=f"One customer's {resource.name}",
            responses=described | problems.described(404),
        )


def _add_customer(router: APIRouter, current: Current, dependency: Any) -> None:
    row = _row_model(CUSTOMER, current.snapshot.columns[CUSTOMER.name])
    described = {200: {"model": row}} | AS_IT_WAS | problems.described(404)

    @router.get("/customers/{customer_key}", summary="One customer", responses=described, dependencies=[dependency])
    async def customer(request: Request, customer_key: CustomerKey, asked: Annotated[Fields, Query()]) -> Response:
        shown = current.snapshot
        return _answer(request, shown, _one(shown, customer_key, _fields(shown, CUSTOMER, asked.fields)))


def _add_metrics(router: APIRouter, settings: Settings, current: Current, dependency: Any) -> None:
    # MetricFlow plans for a tenth of a second: in a thread, others go on
    @router.get("/metrics", summary="Every metric", dependencies=[dependency])
    def listed(request: Request) -> Response:
        return _answer(request, current.snapshot, {"metrics": metrics.list_metrics(settings)})

    @router.get("/metrics/{name}", summary="The figures of a metric", dependencies=[dependency])
    def figures(request: Request, name: str, asked: Annotated[Period, Query()]) -> Response:
        by = asked.by.split(",") if asked.by else []
        found = metrics.query_metrics(settings, [name], by, asked.first, asked.last)
        return _answer(request, current.snapshot, {"columns": found.columns, "rows": found.rows})


def _row_model(resource: Resource, columns: Mapping[str, Column]) -> type[BaseModel]:
    """A row for OpenAPI: every column may be left out, or null."""
    name = resource.name.removesuffix("s").title()
    fields = {
        column.name: (_type(column.type) | None, Field(None, description=column.comment)) for column in columns.values()
    }
    return create_model(name, **cast("Any", fields))


def _type(of: pa.DataType) -> Any:
    if pa.types.is_boolean(of):
        return bool
    if pa.types.is_integer(of):
        return int
    if pa.types.is_floating(of):
        return float
    if pa.types.is_decimal(of):
        return Decimal
    if pa.types.is_timestamp(of):
        return datetime
    return date if pa.types.is_date(of) else str


def _fields(shown: Snapshot, resource: Resource, asked: str | None) -> list[str]:
    known = shown.columns[resource.name]
    chosen = list(dict.fromkeys(asked.split(","))) if asked else list(known)
    if unknown := [name for name in chosen if name not in known]:
        raise HTTPException(422, f"query.fields: there is no {unknown[0]}; there are {', '.join(known)}")
    return chosen


def _one(shown: Snapshot, customer_key: str, fields: list[str]) -> dict[str, object]:
    _require(shown, customer_key)
    (row,) = shown.rows(CUSTOMER, {"customer_key": customer_key}, fields)
    return row


def _require(shown: Snapshot, customer_key: str) -> None:
    if not shown.has(CUSTOMER, customer_key):
        raise HTTPException(404, "no such customer on the published date")


def _page(request: Request, shown: Snapshot, resource: Resource, asked: Page, fixed: dict[str, Any]) -> Response:
    fields = _fields(shown, resource, asked.fields)
    read = list(dict.fromkeys([*fields, *resource.key]))
    try:
        rows = shown.rows(resource, fixed, read, _after(resource, asked.after), asked.limit + 1)
    except TypeError:  # values of the cursor that are none of the key
        raise HTTPException(422, NO_CURSOR) from None
    last = [rows[asked.limit - 1][name] for name in resource.key] if len(rows) > asked.limit else None
    kept = [{name: row[name] for name in fields} for row in rows[: asked.limit]]
    return _answer(request, shown, {"rows": kept, "next": last and _cursor(last)})


def _cursor(key: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _after(resource: Resource, cursor: str | None) -> list[Any] | None:
    if cursor is None:
        return None
    try:
        key = json.loads(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
    except ValueError:
        key = None
    if not isinstance(key, list) or len(key) != len(resource.key):
        raise HTTPException(422, NO_CURSOR)
    return key


def _answer(request: Request, shown: Snapshot, content: Any) -> Response:
    """The content, unless the client has it: it changes with a publish alone."""
    tag = f'W/"{shown.publish_id}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in [one.strip() for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(to_json(content, inf_nan_mode="null"), headers=headers, media_type="application/json")
