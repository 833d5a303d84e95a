"""The server: the read API and, below ``/``, the pages of the workbench."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from anyio import move_on_after, sleep, to_thread
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from c360.api import problems
from c360.api.app import create_app
from c360.api.following import Current
from c360.app.pages import audit, brief, cases, customers, desk, entrance, receipts, status, tags, worklist
from c360.app.preparing import statements
from c360.app.reading import MovedOn, Reading
from c360.app.workbench import Hidden, SignInFirst, Stale, Workbench, language_of
from lakehouse.lake.page_views import Journal
from lakehouse.settings import Settings

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",  # there is no script at all
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
LONGEST_WAIT, AGAIN = 10.0, 0.2  # seconds for a publish to be in memory, and between two looks
OF_SYSTEMS = ("/api/", "/health")  # answered as JSON


def create_workbench(settings: Settings) -> FastAPI:
    """The application over the published store; raises ``Stop`` if nothing is published yet."""
    current, journal = Current(settings, statements), Journal(settings.lake)
    app = create_app(settings, current, journal)
    workbench = Workbench(settings, current, journal)
    of_api = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(one: FastAPI) -> AsyncGenerator[None]:
        async with of_api(one):
            for feed in workbench.handing_in.values():
                feed.start()
            yield
            for feed in workbench.handing_in.values():
                feed.stop()
            workbench.reading.close()

    app.router.lifespan_context = lifespan
    for pages in (entrance, customers, worklist, receipts, brief, cases, desk, tags, status, audit):
        app.include_router(pages.routes(workbench), include_in_schema=False)
    _install_errors(app, workbench)
    add_moving_on(app, workbench.reading)

    @app.middleware("http")
    async def framed(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        answer = await go_on(request)
        if not request.url.path.startswith(OF_SYSTEMS):
            answer.headers.update(HEADERS)
            answer.headers.setdefault("Cache-Control", "no-store")
            if (language := request.query_params.get("lang")) in ("en", "zh"):
                answer.set_cookie("lang", language, max_age=31_536_000, samesite="strict", httponly=True)
        return answer

    return app


def _install_errors(app: FastAPI, workbench: Workbench) -> None:
    """Refusals as pages; the API keeps its own form."""

    def missing(request: Request) -> Response:
        return workbench.html(language_of(request), "/", {}, "missing.html.j2", status=404)

    async def of_stranger(request: Request, _: Exception) -> Response:
        return RedirectResponse("/sign-in" if request.method == "POST" else entrance.sign_in_path(request), 303)

    async def of_hidden(request: Request, _: Exception) -> Response:
        return missing(request)

    async def of_stale(request: Request, _: Exception) -> Response:
        return workbench.html(language_of(request), "/", {}, "stale.html.j2", status=403)

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if request.url.path.startswith(OF_SYSTEMS):
            return problems.problem(error.status_code, error.detail, dict(error.headers or {}))
        return missing(request)

    app.add_exception_handler(SignInFirst, of_stranger)
    app.add_exception_handler(Hidden, of_hidden)
    app.add_exception_handler(Stale, of_stale)
    app.add_exception_handler(HTTPException, of_http)


def add_moving_on(app: FastAPI, reading: Reading) -> None:
    """A page of a publish that cannot be asked any more begins again, form and all, with the one that follows."""

    async def of_moved_on(request: Request, _: Exception) -> Response:
        with move_on_after(LONGEST_WAIT):
            while not await to_thread.run_sync(reading.caught_up):
                await sleep(AGAIN)
        return RedirectResponse(request.url.path + (f"?{request.url.query}" if request.url.query else ""), 307)

    app.add_exception_handler(MovedOn, of_moved_on)
