"""Give the assets to a Superset that runs, over its REST API: what is there is replaced, what is no more is removed."""

import itertools
from dataclasses import dataclass
from typing import Any, Self

import httpx

from c360.bi.assets import Assets
from lakehouse.errors import Stop

ADMIN = "admin"
KINDS = ("dashboard", "chart", "dataset")  # in the order in which they can be removed
PAGE = 100
SECONDS = 900.0  # an import of hundreds of assets on a busy machine


@dataclass(frozen=True)
class Imported:
    """What became of the assets."""

    paths: tuple[str, ...]  # of the dashboards, below the server's address
    replaced: int
    removed: int


class Server:
    """A session of an account with a Superset; what makes or changes something needs ``admin``.

    Raises
    ------
    Stop
        If the server does not answer, or refuses.
    """

    def __init__(self, address: str, password: str, account: str = ADMIN) -> None:
        self._client = httpx.Client(base_url=address, timeout=SECONDS, headers={"Referer": address})
        login = {"username": account, "password": password, "provider": "db", "refresh": False}
        token = self.ask("POST", "security/login", json=login)["access_token"]
        self._client.headers["Authorization"] = f"Bearer {token}"
        self._client.headers["X-CSRFToken"] = self.ask("GET", "security/csrf_token/")["result"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, method: str, path: str, **given: Any) -> Any:
        """The answer of a path of the API; what is given is `httpx`'s."""
        try:
            answer = self._client.request(method, f"/api/v1/{path}", **given)
        except httpx.HTTPError as error:
            raise Stop(f"{self._client.base_url} does not answer: {type(error).__name__}", "start it first") from error
        if answer.is_error:
            raise Stop(f"{self._client.base_url} refuses {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def put(self, assets: Assets) -> Imported:
        """Import the assets; all that an earlier import made, and these do not hold, goes."""
        before = {kind: self.numbers(kind) for kind in KINDS}
        self.ask("POST", "assets/import/", files={"bundle": ("c360.zip", assets.bundle(), "application/zip")})
        replaced, removed = 0, 0
        for kind in KINDS:
            kept = assets.identifiers(f"{kind}s")
            replaced += len(before[kind].keys() & kept)
            for number in (number for uuid, number in before[kind].items() if uuid not in kept):
                if self.ask("GET", f"{kind}/{number}")["result"].get("is_managed_externally"):
                    self.ask("DELETE", f"{kind}/{number}")
                    removed += 1
        return Imported(tuple(f"/superset/dashboard/{slug}/" for slug in assets.slugs()), replaced, removed)

    def numbers(self, kind: str) -> dict[str, int]:
        """All that there are, by identifier: ours, and what people made themselves."""
        found: dict[str, int] = {}
        for page in itertools.count():
            query = f"(columns:!(id,uuid),page:{page},page_size:{PAGE})"
            rows = self.ask("GET", f"{kind}/", params={"q": query})["result"]
            found |= {row["uuid"]: row["id"] for row in rows}
            if len(rows) < PAGE:
                break
        return found
