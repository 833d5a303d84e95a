"""The application: routes under ``/api/v1`` for every resource, its OpenAPI, and who may ask how often."""

import base64
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, cast

import pyarrow as pa
from anyio import from_thread
from fastapi import APIRouter, FastAPI, HTTPException, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic_core import to_json
from starlette.responses import Response

from c360 import metrics
from c360.access import Grant, Sees
from c360.api import problems
from c360.api.asking import Asking, Doorkeeper
from c360.api.following import Current
from c360.api.resources import CUSTOMERS, METRICS, RESOURCES, Resource
from c360.api.sight import CUSTOMER, sees_customer
from c360.api.snapshot import Column
from lakehouse.contracts import LEVELS
from lakehouse.lake.page_views import Journal
from lakehouse.settings import Settings

NO_CURSOR = "query.after: this is no `next` of a page of this list"
PAGE, LARGEST_PAGE = 100, 1000
LONGEST_KEY = 100  # of what is written down
AS_IT_WAS: dict[int | str, dict[str, Any]] = {304: {"description": "As it was: nothing has been published since"}}
CustomerKey = Annotated[str, Path(description="Customer, as `cif:…`")]


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


def create_app(settings: Settings, current: Current | None = None, journal: Journal | None = None) -> FastAPI:
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
    doorkeeper = Doorkeeper(settings, current, journal or Journal(settings.lake))
    router = APIRouter(prefix="/api/v1")
    for resource in RESOURCES:
        asker = doorkeeper.may(f"api_{resource.name}", resource.scope)
        _add_lists(router, resource, current.snapshot.columns[resource.name], asker)
    customer = doorkeeper.may("api_customers", CUSTOMER.scope)
    _add_customer(router, current.snapshot.columns[CUSTOMER.name], customer)
    _add_metrics(router, settings, doorkeeper.may("api_metrics", METRICS))

    @router.get("/publication", summary="What is published")
    async def publication(asking: Annotated[Asking, doorkeeper.may("api_publication", CUSTOMERS)]) -> dict[str, object]:
        await asking.note("view")
        return {"publish_id": asking.shown.publish_id, "business_date": asking.shown.business_date}

    @app.get("/health", summary="Whether it answers; needs no token")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    app.include_router(router, responses=problems.described(401, 403, 422, 429))
    return app


def _add_lists(router: APIRouter, resource: Resource, columns: Mapping[str, Column], asker: Any) -> None:
    """All rows of the resource, and those of one customer where it has some per customer."""
    row = _row_model(resource, columns)
    page = create_model(f"{row.__name__}Page", rows=(list[row], ...), next=(str | None, ...))
    filters = {
        name: (_type(columns[name].type) | None, Field(None, description=columns[name].comment))
        for name in resource.filters
    }
    query = create_model(f"{row.__name__}Query", __base__=Page, **cast("Any", filters))
    described = {200: {"model": page}} | AS_IT_WAS

    async def listed(
        request: Request,
        asking: Annotated[Asking, asker],
        asked: Annotated[query, Query()],  # type: ignore[valid-type]
    ) -> Response:
        return await _page(request, asking, resource, asked)

    async def of_customer(
        request: Request,
        asking: Annotated[Asking, asker],
        customer_key: CustomerKey,
        asked: Annotated[query, Query()],  # type: ignore[valid-type]
    ) -> Response:
        await _require(asking, customer_key)
        return await _page(request, asking, resource, asked, customer_key)

    add = partial(router.add_api_route, methods=["GET"])
    add(f"/{resource.name}", listed, summary=f"All of {resource.table}", responses=described)
    if resource.is_of_customer:
        add(
            f"/customers/{{customer_key}}/{resource.name}",
            of_customer,
            summary=f"One customer's {resource.name}",
            responses=described | problems.described(404),
        )


def _add_customer(router: APIRouter, columns: Mapping[str, Column], asker: Any) -> None:
    row = _row_model(CUSTOMER, columns)
    described = {200: {"model": row}} | AS_IT_WAS | problems.described(404)

    @router.get("/customers/{customer_key}", summary="One customer", responses=described)
    async def customer(
        request: Request, asking: Annotated[Asking, asker], customer_key: CustomerKey, asked: Annotated[Fields, Query()]
    ) -> Response:
        await _require(asking, customer_key)
        fields = _fields(asking, CUSTOMER, asked.fields)
        (found,) = asking.shown.rows(CUSTOMER, {"customer_key": customer_key}, fields)
        await asking.note("view", [customer_key])
        return _answer(request, asking, found)


def _add_metrics(router: APIRouter, settings: Settings, asker: Any) -> None:
    # MetricFlow plans for a tenth of a second: in a thread, others go on
    @router.get("/metrics", summary="Every metric")
    def listed(request: Request, asking: Annotated[Asking, asker]) -> Response:
        from_thread.run(asking.note, "view")
        return _answer(request, asking, {"metrics": metrics.list_metrics(settings)})

    @router.get("/metrics/{name}", summary="The figures of a metric")
    def figures(
        request: Request, asking: Annotated[Asking, asker], name: str, asked: Annotated[Period, Query()]
    ) -> Response:
        by = asked.by.split(",") if asked.by else []
        only = _own_part(asking.grant)
        if only is None:
            from_thread.run(asking.note, "refusal", (None,), "no part of the figures is theirs")
            raise HTTPException(403, "figures are of the bank, a branch or a manager: there is none of whom you see")
        found = metrics.query_metrics(settings, [name], by, asked.first, asked.last, only)
        from_thread.run(asking.note, "view", (None,), name)
        return _answer(request, asking, {"columns": found.columns, "rows": found.rows})


def _own_part(grant: Grant) -> Mapping[str, str] | None:
    """Dimension -> value to which figures are cut for who asks; None: there is no such part."""
    match grant.sees:
        case Sees.all:
            return {}
        case Sees.branch:
            return {"home_branch_code": grant.branch_code or ""}
        case Sees.own:
            return {"rm_id": grant.rm_id or ""}
        case _:
            return None


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


def _fields(asking: Asking, resource: Resource, asked: str | None) -> list[str]:
    """The columns that are asked for, of those up to the asker's security level."""
    columns, highest = asking.shown.columns[resource.name], LEVELS.index(asking.grant.level)
    known = [name for name, column in columns.items() if LEVELS.index(column.level) <= highest]
    chosen = list(dict.fromkeys(asked.split(","))) if asked else known
    if unknown := [name for name in chosen if name not in known]:
        raise HTTPException(422, f"query.fields: there is no {unknown[0]}; there are {', '.join(known)}")
    return chosen


async def _require(asking: Asking, customer_key: str) -> None:
    """Of a customer whom they do not see, say what is said of one who does not exist."""
    if not sees_customer(asking.grant, asking.shown, customer_key):
        await asking.note("refusal", [customer_key if len(customer_key) <= LONGEST_KEY else None], "no such customer")
        raise HTTPException(404, "no such customer on the published date")


async def _page(
    request: Request, asking: Asking, resource: Resource, asked: Page, customer_key: str | None = None
) -> Response:
    shown = asking.shown
    fixed = asked.model_dump(include=set(resource.filters), exclude_none=True)
    fixed |= {"customer_key": customer_key} if customer_key is not None else {}
    fields = _fields(asking, resource, asked.fields)
    read = list(dict.fromkeys([*fields, *resource.key, "customer_key"]))
    among = asking.cut.rows(resource) if asking.cut else None
    try:
        rows = shown.rows(resource, fixed, read, _after(resource, asked.after), asked.limit + 1, among)
    except TypeError:  # values of the cursor that are none of the key
        raise HTTPException(422, NO_CURSOR) from None
    last = [rows[asked.limit - 1][name] for name in resource.key] if len(rows) > asked.limit else None
    kept = rows[: asked.limit]
    await asking.note("view", [cast("str", row["customer_key"]) for row in kept] or [None])
    content = [{name: row[name] for name in fields} for row in kept]
    return _answer(request, asking, {"rows": content, "next": last and _cursor(last)})


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


def _answer(request: Request, asking: Asking, content: Any) -> Response:
    """The content, unless the client has it: for the same bearer it changes with a publish alone."""
    headers = {"ETag": asking.tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if asking.tag in [one.strip() for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(to_json(content, inf_nan_mode="null"), headers=headers, media_type="application/json")
