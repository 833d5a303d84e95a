"""Errors as ``application/problem+json`` (RFC 9457): one form for whatever goes wrong, and no customer in it."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from lakehouse.errors import Stop

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """Why a request was not answered."""

    title: str = Field(description="The kind of problem")
    status: int = Field(description="HTTP status")
    detail: str = Field(description="What is wrong, and what to do about it")


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The response that says so."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return Response(to_json(body), status, headers, MEDIA_TYPE)


def described(*statuses: int) -> dict[int | str, dict]:
    """The same for OpenAPI."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Let every error of the application come out as a problem."""

    async def of_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(error.status_code, error.detail, dict(error.headers or {}))

    async def of_request(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        said = {f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()}
        return problem(422, "; ".join(sorted(said)))

    async def of_stop(_: Request, error: Exception) -> Response:
        return problem(422, str(error))

    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, of_request)
    app.add_exception_handler(Stop, of_stop)
