"""Who is signed in: sessions in memory, each behind a cookie that scripts cannot read."""

import hmac
import secrets
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from c360.access import hash_of

COOKIE = "c360_session"
IDLE_SECONDS, LONGEST_SECONDS = 3600.0, 12 * 3600.0
MOST = 10_000  # sessions: the oldest ends


@dataclass
class Session:
    """One person at one browser."""

    digest: str  # of the person's token: the grant is looked up at each request
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    began: float = field(default_factory=monotonic)
    last_seen: float = field(default_factory=monotonic)

    def is_over(self, now: float) -> bool:
        """Whether it was left alone, or open, for too long."""
        return now - self.last_seen > IDLE_SECONDS or now - self.began > LONGEST_SECONDS

    def sent(self, csrf: str) -> bool:
        """Whether a form comes from a page of this session."""
        return hmac.compare_digest(csrf.encode(), self.csrf.encode())


class Sessions:
    """The sessions of this server; they end with it."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}  # by the hash of what the cookie has
        self._lock = Lock()

    def begin(self, digest: str) -> str:
        """A new session of the bearer of a token; returns what its cookie has."""
        name = secrets.token_urlsafe(32)
        with self._lock:
            while len(self._sessions) >= MOST:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[hash_of(name)] = Session(digest)
        return name

    def find(self, name: str | None) -> Session | None:
        """The session of a cookie, unless it is over."""
        if not name:
            return None
        now = monotonic()
        with self._lock:
            session = self._sessions.get(hash_of(name))
            if session and session.is_over(now):
                del self._sessions[hash_of(name)]
                return None
            if session:
                session.last_seen = now
            return session

    def end(self, name: str | None) -> None:
        """Sign out."""
        if name:
            with self._lock:
                self._sessions.pop(hash_of(name), None)
