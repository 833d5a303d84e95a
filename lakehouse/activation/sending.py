"""Send a plan, batch by batch: each is acknowledged in the lake before the next is sent.

A killed run, or a target that stops half-way, loses nothing: the next run goes on at the first batch without a receipt,
under the same idempotency key. If something newer is published meanwhile, what was acknowledged counts as arrived, the
batch that may have arrived is in doubt, and a new plan begins from there.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import tenacity
from filelock import FileLock, Timeout

from lakehouse.activation.contract import Activation, Retry
from lakehouse.activation.ledger import Ledger, Opened
from lakehouse.activation.planning import Plan, plan
from lakehouse.activation.targets import Batch, Deliver, Refused, Unreachable, opening
from lakehouse.errors import Stop
from lakehouse.lake.activations import ABSENT, REFUSED, Answers, Receipt, Refusal, activation_folder
from lakehouse.settings import Settings

Sleep = Callable[[float], None]


class NotDelivered(Stop):
    """A target does not answer; what is left is sent by the next run."""


@dataclass(frozen=True)
class Sent:
    """What one call of `send` did."""

    activation: str
    plan_id: str
    publish_id: int
    delivered: int
    refused: int  # dead letters: `retry` sends them again
    absent: int  # with update_only: the target has no such row
    held_back: int  # dead letters of before
    left_out: Mapping[str, int]  # why the policy forbids it -> rows; empty for the rest of a plan under way


def send(
    settings: Settings,
    activation: Activation,
    run_id: str,
    plan_id: str | None = None,
    again: bool = False,
    sleep: Sleep = time.sleep,
) -> Sent:
    """Send what the target lacks.

    Parameters
    ----------
    plan_id : str, optional
        Send this plan, as `plan` showed it, or nothing.
    again : bool
        Send what the target refused once more.
    sleep : callable
        Waits for so many seconds before a target is asked again.

    Raises
    ------
    NotDelivered
        If the target does not answer as often as the contract says it is asked.
    Stop
        If something is wrong with the contract or the target, another run sends, or the plan is another one by now.
    """
    with _alone(settings, activation):
        now = plan(settings, activation, again, run_id)
        if plan_id is not None and now.header["plan_id"] != plan_id:
            raise Stop(
                f"{activation.name}: {plan_id} is no longer what there is to send",
                "look at it again with c360 activate plan: something was published or sent since",
            )
        if now.is_empty and now.opened is None:
            return _sent(now, [])
        ledger = Ledger(settings, activation.name)
        opened = now.opened
        if opened is None:
            ledger.close()
            opened = ledger.begin(now.header, now.changes)
        receipts = _send_batches(settings, activation, ledger, opened, sleep) if now.changes else []
        ledger.close()
    return _sent(now, receipts)


def _sent(now: Plan, receipts: list[Receipt]) -> Sent:
    answers = Answers(receipts)
    return Sent(
        activation=now.header["activation"],
        plan_id=now.header["plan_id"],
        publish_id=now.header["publish_id"],
        delivered=answers.delivered,
        refused=answers.count(REFUSED),
        absent=answers.count(ABSENT),
        held_back=now.held_back,
        left_out=dict(now.left_out),
    )


@contextmanager
def _alone(settings: Settings, activation: Activation) -> Generator[None]:
    """One run sends at a time: the order of a row's changes is that of the plans."""
    folder = activation_folder(settings.lake, activation.name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise Stop(f"{activation.name} is being sent by another run", "wait until it has ended") from None


def _send_batches(
    settings: Settings, activation: Activation, ledger: Ledger, opened: Opened, sleep: Sleep
) -> list[Receipt]:
    receipts: list[Receipt] = []
    with opening(activation.target.kind)(settings, activation) as deliver:
        for number in range(opened.next_batch, opened.batch_count):
            first = number * opened.header["batch_size"]
            batch = Batch(activation, opened.header, first, opened.batch(number))
            try:
                attempts, refusals = _deliver(deliver, batch, activation.retry, sleep)
            except Unreachable as error:
                count = len(opened.changes)
                raise NotDelivered(
                    f"{activation.name}: {first} of {count} changes have arrived; {error}",
                    f"c360 activate send {activation.name} goes on from there",
                ) from error
            receipt = Receipt(
                batch=number,
                first=first,
                count=len(batch.changes),
                attempts=attempts,
                acknowledged_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
                refusals=refusals,
            )
            ledger.acknowledge(opened.header["number"], receipt)
            receipts.append(receipt)
    return receipts


def _deliver(deliver: Deliver, batch: Batch, retry: Retry, sleep: Sleep) -> tuple[int, list[Refusal]]:
    """Returns how often the target was asked, and what it did not take.

    Of a batch that is refused as a whole, halves are sent, and halves of those, until the changes that the target does
    not take stand alone; they become dead letters.
    """
    asking = asked_again(retry, sleep)
    try:
        absent = asking(deliver, batch)
    except Refused as error:
        attempts = asking.statistics["attempt_number"]
        if len(batch.changes) == 1:
            return attempts, [_refusal(batch, 0, REFUSED, str(error))]
        refusals: list[Refusal] = []
        for half in batch.halves():
            more, found = _deliver(deliver, half, retry, sleep)
            attempts += more
            refusals += found
        return attempts, refusals
    return asking.statistics["attempt_number"], [_refusal(batch, place, ABSENT, "no such row") for place in absent]


def asked_again(retry: Retry, sleep: Sleep) -> tenacity.Retrying:
    """Calls a function again while the target does not answer (`Unreachable`), as often as a contract says."""
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Unreachable),
        stop=tenacity.stop_after_attempt(retry.attempts),
        wait=_waiting(retry),
        sleep=sleep,
        reraise=True,
    )


def _waiting(retry: Retry) -> Callable[[tenacity.RetryCallState], float]:
    """Twice as long each time, or as long as the target asks for; never longer than the contract says."""
    growing = tenacity.wait_exponential(multiplier=retry.first_wait_seconds, max=retry.longest_wait_seconds)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait if isinstance(error, Unreachable) else None
        return min(asked, retry.longest_wait_seconds) if asked is not None else growing(state)

    return wait


def _refusal(batch: Batch, place: int, reason: str, error: str) -> Refusal:
    return Refusal(position=batch.first + place, event_id=batch.event_ids[place], reason=reason, error=error)
