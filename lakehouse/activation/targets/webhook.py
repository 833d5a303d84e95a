"""Webhook: each batch is one POST, with an idempotency key that is the same whenever it is sent again.

2xx: taken. 408, 425, 429, 5xx or no answer: asked again, after ``Retry-After`` if it is given. 404 with update_only,
for a request of one change: the target has no such row. 401, 403, 3xx, 405, and 404 otherwise: the contract or the
target is wrong. Any other status: the batch is refused as it is.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
from pydantic_core import to_json

from lakehouse.activation.contract import Activation, Webhook, secret_of
from lakehouse.activation.targets import Batch, Deliver, Refused, Unreachable, Unusable
from lakehouse.settings import Settings

AGAIN = {408, 425, 429}
NOT_ADMITTED = {401, 403}
NO_SUCH_ADDRESS = {301, 302, 307, 308, 405}
# body, idempotency key -> the answer: 2xx, or one that the caller judges
Post = Callable[[Mapping[str, object], str], httpx.Response]


@contextmanager
def opened(settings: Settings, activation: Activation) -> Generator[Deliver]:
    """Sends batches over one connection that is kept open."""
    target = activation.target
    assert isinstance(target, Webhook)

    with posting(settings, target) as post:

        def deliver(batch: Batch) -> list[int]:
            body = {"activation": activation.name, "mode": activation.mode, "id": batch.id, "changes": batch.events}
            return _judged(post(body, batch.id), batch, target.url)

        yield deliver


@contextmanager
def posting(settings: Settings, target: Webhook) -> Generator[Post]:
    """Posts JSON under an idempotency key, over one connection that is kept open.

    What it yields raises `Unreachable` where it is to be asked again, and `Unusable` where secret or address is wrong.
    """
    headers = {"Content-Type": "application/json"}
    if target.credential:
        headers["Authorization"] = f"Bearer {secret_of(settings, target.credential)}"

    with httpx.Client(headers=headers, timeout=target.seconds) as client:

        def post(body: Mapping[str, object], key: str) -> httpx.Response:
            try:
                answer = client.post(target.url, content=to_json(body), headers={"Idempotency-Key": key})
            except httpx.TransportError as error:
                raise Unreachable(f"{target.url}: {type(error).__name__}") from error
            status = answer.status_code
            if status in AGAIN or status >= 500:
                raise Unreachable(f"{target.url} answers {status}", _wait(answer.headers.get("Retry-After")))
            if status in NOT_ADMITTED:
                raise Unusable(
                    f"{target.url} answers {status}", "correct the secret of the contract, or have the target admit it"
                )
            if status in NO_SUCH_ADDRESS:
                raise no_such_address(target.url, status)
            return answer

        yield post


def no_such_address(url: str, status: int) -> Unusable:
    """That nobody takes anything there."""
    return Unusable(f"{url} answers {status}", "correct the address in the contract")


def _judged(answer: httpx.Response, batch: Batch, url: str) -> list[int]:
    if answer.is_success:
        return []
    status = answer.status_code
    if status == 404 and batch.activation.mode == "mirror":
        raise no_such_address(url, status)
    if status == 404 and len(batch.changes) == 1:
        return [0]
    raise Refused(f"status {status}")  # its text may quote a row


def _wait(header: str | None) -> float | None:
    """Seconds, from a number of them or a date (RFC 9110)."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
