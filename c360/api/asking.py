"""Who asks the API, how much of a publish they see, and what is written down of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, HTTPException
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from c360.access import Grant, Register, events_of, hash_of
from c360.api.sight import Cut, cut_of, sight_of

if TYPE_CHECKING:
    from c360.api.following import Current
    from c360.api.snapshot import Snapshot
    from lakehouse.lake.page_views import Journal, Kind
    from lakehouse.settings import Settings

_BEARER = HTTPBearer(auto_error=False)


@dataclass(frozen=True)
class Asking:
    """One request of who may make it; all of it is of one publish."""

    grant: Grant
    shown: Snapshot
    page: str
    journal: Journal

    @cached_property
    def cut(self) -> Cut | None:
        """What of the publish they see; None: everything."""
        return cut_of(self.grant, self.shown)

    @property
    def tag(self) -> str:
        """What an answer depends on besides the address: the publish, and how much of it they see."""
        sight = (self.grant.level, *sight_of(self.grant))
        seen = "-" + hashlib.sha256(repr(sight).encode()).hexdigest()[:12] if self.grant.role_name else ""
        return f'W/"{self.shown.publish_id}{seen}"'

    async def note(self, kind: Kind, customer_keys: Iterable[str | None] = (None,), detail: str | None = None) -> None:
        """Write down whom a person looked at; it is on the disk when this returns. Of systems only refusals are."""
        if self.grant.role_name or kind == "refusal":
            await _append(self.journal, self.shown, self.grant, kind, self.page, customer_keys, detail)


class Doorkeeper:
    """Lets through who has a token with the scope, and has not asked too often; a refusal is written down."""

    def __init__(self, settings: Settings, current: Current, journal: Journal) -> None:
        self._register, self._current, self._journal = Register(settings.api_tokens), current, journal
        self._rate: RateLimitItem = parse(settings.api_rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def may(self, page: str, scope: str) -> Any:
        """The dependency of a route: an `Asking` of whoever may do what it is for."""

        async def admitted(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Asking:
            return await self._admit(given.credentials if given else None, page, scope)

        return Depends(admitted)

    async def _admit(self, token: str | None, page: str, scope: str) -> Asking:
        """Raise 401, 403 or 429, unless the bearer may ask now."""
        shown = self._current.snapshot
        grant = self._register.find(hash_of(token), datetime.now(UTC).date()) if token else None
        if grant is None:
            await _append(self._journal, shown, None, "refusal", page, (None,), "no valid token")
            said = "this token is not known, or not any more" if token else "send a token: Authorization: Bearer …"
            raise HTTPException(401, said, {"WWW-Authenticate": "Bearer"})
        if not self._limiter.hit(self._rate, grant.name):
            free_at = self._limiter.get_window_stats(self._rate, grant.name).reset_time
            wait = max(1, ceil(free_at - datetime.now(UTC).timestamp()))
            raise HTTPException(429, f"more than {self._rate}: wait {wait} s", {"Retry-After": str(wait)})
        asking = Asking(grant, shown, page, self._journal)
        if not grant.may(scope):
            await asking.note("refusal", detail=f"lacks {scope}")
            raise HTTPException(403, f"this token lacks the scope {scope}")
        return asking


async def _append(
    journal: Journal,
    shown: Snapshot,
    grant: Grant | None,
    kind: Kind,
    page: str,
    customer_keys: Iterable[str | None],
    detail: str | None,
) -> None:
    """In a thread: whoever asks next does not wait for the disk."""
    events = events_of(grant, (shown.publish_id, shown.business_date), kind, page, customer_keys, detail)
    await run_in_threadpool(journal.append, events)
