"""What the pages of the workbench share: who asks, what they may, what is written down of it, and the frame."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, NoReturn, get_args
from urllib.parse import parse_qs, quote, urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from c360.access import Grant, Register, events_of
from c360.api.following import Current
from c360.api.snapshot import Snapshot
from c360.app import cases, outcomes
from c360.app.group_sizes import GroupSizes
from c360.app.handing_in import HandingIn
from c360.app.outcomes import WrittenDown
from c360.app.reading import Reading
from c360.app.sessions import COOKIE, Session, Sessions
from c360.reports import Row
from c360.reports import pages as reports
from c360.reports.worklist import chance
from lakehouse.contracts import load_deployment
from lakehouse.lake.page_views import Journal, Kind
from lakehouse.language import LANGUAGES, NAMES, Language, Voice, words
from lakehouse.language import Kind as Words
from lakehouse.pages import LAYOUT, unbroken
from lakehouse.settings import Settings

TEMPLATES = Path(__file__).with_name("templates")
LONGEST_FORM = 100_000  # bytes
LONGEST_PAGE = 9  # digits: no list has as many pages, and what is longer is a page beyond it
SIGN_INS = parse("10/minute")  # by name, and by address
NAVIGATION = (("find", "customers:read"), ("worklist", "actions:read"), ("brief", "brief:read"))
NAVIGATION += (("cases", "cases:read"), ("desk", "identity:read"), ("tags", "tags:read"))
NAVIGATION += (("status", "status:read"), ("audit", "audit:read"))


class SignInFirst(Exception):
    """Nobody is signed in."""


class Hidden(Exception):
    """There is no such page or customer for this person: both look alike."""

    def __init__(self, visit: "Visit") -> None:
        super().__init__()
        self.visit = visit


class Stale(Exception):
    """A form that does not come from a page of this session."""


@dataclass(frozen=True)
class Visit:
    """One request of a person who is signed in; all of it is of one publish."""

    person: Grant
    session: Session
    language: Language
    shown: Snapshot
    page: str
    path: str
    asked: dict[str, str]  # parameters of the address
    form: dict[str, str] = field(default_factory=dict)

    def text(self, name: str, **values: object) -> str:
        """A text in the reader's language."""
        return Voice(self.language)(name, **values)

    def page_of(self, count: int, size: int) -> int:
        """The page of a list, from 1 on, that the address asks for by ``page``; beyond the list, its last one."""
        asked = self.asked.get("page", "")
        wanted = int(asked[:LONGEST_PAGE]) if asked.isdecimal() else 1
        return min(max(1, wanted), max(1, -(-count // size)))


class Workbench:
    """What runs behind the pages."""

    def __init__(self, settings: Settings, current: Current, journal: Journal) -> None:
        self.settings, self.current, self.journal = settings, current, journal
        self.register, self.sessions = Register(settings.api_tokens), Sessions()
        self.sign_ins = MovingWindowRateLimiter(MemoryStorage())
        self.deployment = load_deployment(settings.deployment)
        self.zone, self.currency = self.deployment.zone, self.deployment.currency
        feeds = (outcomes.HANDED_IN, cases.HANDED_IN)
        self.handing_in = {one.feed: HandingIn(settings, current, one) for one in feeds}
        self.written, self.cases = WrittenDown(settings), cases.Cases(settings)
        self.reading = Reading(settings, current, self.cases.of)
        self._templates = self._environment()
        self._get_ready()

    def may(self, page: str, scope: str, feed: str | None = None) -> Any:
        """The dependency of a route: a `Visit` of a person who may do what it is for; a refusal is written down.

        Parameters
        ----------
        feed
            Into which the route writes: where the bank does not take it in, nobody may.
        """

        def visit(made: Annotated[Visit, self.signed_in(page)]) -> Visit:
            if not made.person.may(scope) or not (feed is None or self.deployment.takes_in(feed)):
                self.refuse(made)
            return made

        return Depends(visit)

    def signed_in(self, page: str) -> Any:
        """The dependency of a route that is for everybody who is signed in."""

        def visit(request: Request, form: Annotated[dict[str, str], Depends(form_of)]) -> Visit:
            made = self.visit_of(request, page, form)
            if request.method == "POST" and not made.session.sent(form.get("csrf", "")):
                self.note(made, "refusal", page, detail="not a form of this session")
                raise Stale
            return made

        return Depends(visit)

    def visit_of(self, request: Request, page: str, form: dict[str, str]) -> Visit:
        """Who asks; raises `SignInFirst` if nobody is signed in, or no longer may be."""
        shown = self.current.snapshot
        session = self.sessions.find(request.cookies.get(COOKIE))
        person = self.register.find(session.digest, datetime.now(UTC).date()) if session else None
        if session is None or person is None or person.role is None:
            self.note(None, "refusal", page, detail="not signed in")
            raise SignInFirst
        asked = {name: value for name, value in request.query_params.items() if name != "lang"}
        return Visit(person, session, language_of(request), shown, page, request.url.path, asked, form)

    def note(
        self,
        visit: Visit | None,
        kind: Kind,
        page: str,
        customer_keys: Iterable[str | None] = (None,),
        detail: str | None = None,
        delivered: dict[str, str] | None = None,
        person: Grant | None = None,
        event_id: str | None = None,
    ) -> None:
        """Write down what happened, a line per customer; it is on the disk when this returns.

        Parameters
        ----------
        delivered
            Of a write: the row for a feed.
        person
            Who, where there is no visit: one who signs in.
        """
        shown = visit.shown if visit else self.current.snapshot
        publish = shown.publish_id, shown.business_date
        who = visit.person if visit else person
        self.journal.append(events_of(who, publish, kind, page, customer_keys, detail, delivered, event_id))

    def refuse(self, visit: Visit, customer_key: str | None = None) -> NoReturn:
        """Write the refusal down, and say no more than of what does not exist."""
        self.note(visit, "refusal", visit.page, [customer_key], "no right, or no such customer")
        raise Hidden(visit)

    def page(self, visit: Visit, template: str, **content: object) -> Response:
        """The page in its frame."""
        navigation = [name for name, scope in NAVIGATION if visit.person.may(scope)]
        frame = {
            "visit": visit,
            "csrf": visit.session.csrf,
            "navigation": navigation,
            "business_date": visit.shown.business_date,
            "working_day": self.deployment.next_delivery_day(visit.shown.business_date),
            "branch": partial(self._branch, visit),
            "takes_in": self.deployment.takes_in,
            "sizes_of": GroupSizes.of(visit.person, Voice(visit.language)),
        }
        return self.html(visit.language, visit.path, visit.asked, template, frame | content)

    def html(
        self,
        language: Language,
        path: str,
        asked: dict[str, str],
        template: str,
        content: Mapping[str, object] = MappingProxyType({}),
        status: int = 200,
    ) -> Response:
        """A page, of a visit or without one."""
        links = [
            (name, one, f"{path}?{urlencode(asked | {'lang': one})}") for one, name in NAMES.items() if one != language
        ]
        frame = {"visit": None, "navigation": ()} | dict(content)
        say = Voice(language)
        text = self._templates.get_template(template).render(
            language=language,
            t=say,
            say=say,
            links=links,
            local=self._local,
            currency=say.code(self.currency),
            colon=say("colon"),
            amount=partial(reports.amount, currency=self.currency, say=say),
            here=path,
            asked=asked,
            **frame,
        )
        return HTMLResponse(text, status)

    def _get_ready(self) -> None:
        """Compile the templates and read the words: who comes first does not wait for it."""
        for name in FileSystemLoader(TEMPLATES).list_templates():
            self._templates.get_template(name)
        for kind in get_args(Words):
            words(kind)

    def _branch(self, visit: Visit, code: str | None) -> str:
        """A branch as its code and its name in the reader's language."""
        one = visit.shown.once("branches", partial(_branches, visit.shown)).get(code or "", {})
        return Voice(visit.language).named(code, one.get("branch_name"), one.get("branch_name_en"))

    def _local(self, moment: datetime | None) -> str:
        """A time in UTC, as the bank's clock shows it."""
        return "" if moment is None else f"{moment.replace(tzinfo=UTC).astimezone(self.zone):%Y-%m-%d %H:%M}"

    def _environment(self) -> Environment:
        """Templates of the pages, and those of the reports in the workbench's frame."""
        loaders = [FileSystemLoader(TEMPLATES), FileSystemLoader(reports.TEMPLATES)]
        loader = ChoiceLoader([*loaders, PrefixLoader({"plain": FileSystemLoader(LAYOUT)})])
        made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
        made.filters |= {"money": reports.money, "words": _in_words, "path": _in_path, "term": _as_term}
        made.filters |= {"unbroken": unbroken, "percent": _in_percent, "chance": _as_chance}
        return made


def statements() -> dict[str, str]:
    """The SQL of what every page shows."""
    return {"workbench.branches": "select branch_code, branch_name, branch_name_en from marts.dim_branch"}


def _branches(shown: Snapshot) -> dict[str, Row]:
    """Branch -> its names."""
    rows = shown.prepared.rows("workbench.branches")
    return {row["branch_code"]: row for row in rows}


def _in_path(text: str) -> str:
    """One part of an address."""
    return quote(text, safe="")


@pass_context
def _in_words(context: Context, code: str | None) -> str:
    """A code in the language of the page."""
    return context["say"].code(code)


@pass_context
def _in_percent(context: Context, share: float | None, decimals: int = 0) -> str:
    """A share in per cent, as the language of the page writes it."""
    voice: Voice = context["say"]
    return voice.percent(share, decimals)


@pass_context
def _as_chance(context: Context, action: Row) -> str:
    """How likely it is what an action is about, in the language of the page."""
    return chance(action, context["say"])


@pass_context
def _as_term(context: Context, text: str) -> str:
    """The name of a column, else a code, in the language of the page."""
    voice: Voice = context["say"]
    said = voice.column(text)
    return said if said != text else voice.code(text)


def language_of(request: Request) -> Language:
    """In which language the request is answered."""
    asked, kept = request.query_params.get("lang"), request.cookies.get("lang")
    return chosen_language(asked, kept, request.headers.get("accept-language"))


def chosen_language(asked: str | None, kept: str | None, accepted: str | None) -> Language:
    """The language that was asked for, else the one of last time, else the browser's.

    >>> chosen_language("zh", "en", None), chosen_language(None, None, "zh-CN,zh;q=0.9"), chosen_language("fr", "", "")
    ('zh', 'zh', 'en')
    """
    for one in (asked, kept):
        for language in LANGUAGES:
            if one == language:
                return language
    return "zh" if (accepted or "").lower().startswith("zh") else "en"


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; what is larger than any of ours is cut off, and then not of this session."""
    if request.method != "POST":
        return {}
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            return {}
    return {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
