"""The way in and out, and the first page, from which everything is reached."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from c360.access import hash_of
from c360.app.pages import brief, cases, worklist
from c360.app.sessions import COOKIE, LONGEST_SECONDS
from c360.app.workbench import SIGN_INS, Visit, Workbench, form_of, language_of


def routes(workbench: Workbench) -> APIRouter:
    """Sign in, sign out, start."""
    router = APIRouter()

    @router.get("/sign-in")
    def ask(request: Request) -> Response:
        return _form(workbench, request, request.query_params.get("next", "/"), None, 200)

    @router.post("/sign-in")
    def sign_in(request: Request, form: Annotated[dict[str, str], Depends(form_of)]) -> Response:
        name, token, onwards = form.get("name", ""), form.get("token", ""), form.get("next", "/")
        address = request.client.host if request.client else ""
        heard = [workbench.sign_ins.hit(SIGN_INS, kind, one) for kind, one in (("name", name), ("from", address))]
        if not all(heard):
            workbench.note(None, "refusal", "sign_in", detail="too many attempts")
            return _form(workbench, request, onwards, "too_often", 429)
        person = workbench.register.find(hash_of(token.strip()), datetime.now(UTC).date())
        if person is None or person.role is None or person.name != name.strip():
            workbench.note(None, "refusal", "sign_in", detail="wrong name or token")
            return _form(workbench, request, onwards, "wrong", 401)
        workbench.note(None, "sign_in", "sign_in", person=person)
        answer = RedirectResponse(_own(onwards), 303)
        answer.set_cookie(
            COOKIE,
            workbench.sessions.begin(hash_of(token.strip())),
            max_age=int(LONGEST_SECONDS),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    @router.post("/sign-out")
    def sign_out(request: Request, visit: Annotated[Visit, workbench.signed_in("sign_out")]) -> Response:
        workbench.note(visit, "sign_out", "sign_out")
        workbench.sessions.end(request.cookies.get(COOKIE))
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(COOKIE)
        return answer

    @router.get("/")
    def start(visit: Annotated[Visit, workbench.signed_in("start")]) -> Response:
        return workbench.page(visit, "start.html.j2", today=_today(workbench, visit))

    return router


def _today(workbench: Workbench, visit: Visit) -> dict[str, list[str]]:
    """Page -> what waits on it, in words, as its own figures have it."""
    pages = {
        "worklist": ("actions:read", worklist.waiting),
        "brief": ("brief:read", brief.waiting),
        "cases": ("cases:read", partial(cases.waiting, workbench)),
    }
    found = {name: count(visit) for name, (scope, count) in pages.items() if visit.person.may(scope)}
    return {name: [visit.text(text, count=f"{count:,}") for text, count in figures] for name, figures in found.items()}


def sign_in_path(request: Request) -> str:
    """Where a stranger goes, and from there on to what was asked for."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/sign-in" if wanted == "/" else f"/sign-in?{urlencode({'next': wanted})}"


def _own(onwards: str) -> str:
    """A path of this server, never an address elsewhere."""
    return onwards if onwards.startswith("/") and not onwards.startswith(("//", "/\\")) else "/"


def _form(workbench: Workbench, request: Request, onwards: str, problem: str | None, status: int) -> Response:
    language = language_of(request)
    content = {"onwards": _own(onwards), "problem": problem}
    return workbench.html(language, "/sign-in", {}, "sign_in.html.j2", content, status)
