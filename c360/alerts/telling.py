"""Who is told of what now: each case once per receiver, and again when it changes or comes back.

The order of events is kept by the lake's log (`lakehouse.lake.alerts`): a message is noted when its target has taken
it. A run that is killed in between sends it again, under the same id.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

from filelock import FileLock, Timeout

from c360.alerts.cases import Case, cases_of
from c360.alerts.messages import Message, message_of
from c360.alerts.rules import Alerts, Receiver, Rule
from c360.alerts.targets import deliver_to
from lakehouse import warehouse
from lakehouse.activation.sending import asked_again
from lakehouse.activation.targets import Refused, Unreachable
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.lake.alerts import CaseState, Entry, Kind, State, after, append, folder_of, read_state
from lakehouse.settings import Settings

LOCK_SECONDS = 60.0  # for which a run waits until another one has told what it had to tell
Sleep = Callable[[float], None]


class NotTold(Stop):
    """A target did not take a message; the next call sends it again."""


@dataclass(frozen=True)
class Plan:
    """What is so, and what would be sent now."""

    publish_id: int
    business_date: date
    cases: Mapping[str, Sequence[Case]]  # by rule
    known: State  # what the log comes to
    state: State  # the same without the cases that are over
    over: Sequence[tuple[str, str]]  # rule and case of those that are no more
    messages: Sequence[Message]
    held: Sequence[Message]  # until the quiet hours of their rule end


@dataclass(frozen=True)
class Result:
    """What one call of `send` did."""

    sent: int
    held: int  # in quiet hours
    over: int  # cases that ended


@dataclass(frozen=True)
class _Told:
    """What became of a message."""

    kind: Kind
    attempts: int
    error: str | None


def plan(settings: Settings, alerts: Alerts, receivers: Sequence[str], at: datetime) -> Plan:
    """What `send` would do now; nothing is written and nobody is told.

    Parameters
    ----------
    receivers : sequence of str
        Those who may be told.
    at : datetime
        Now, in any time zone; the rules' local times are the deployment's.

    Raises
    ------
    Stop
        If nothing is published, or a rule does not fit its table.
    """
    known = read_state(settings.lake)
    local = at.astimezone(load_deployment(settings.deployment).zone)
    with warehouse.shown(settings) as shown:
        cases = cases_of(shown, alerts.rules.values(), local.date())
        publish_id, business_date = shown.publish_id, shown.business_date
    present = {(rule, case.name) for rule, found in cases.items() for case in found}
    over = [key for key in known.cases if key not in present]
    state = known
    for entry in _ended(over, at):
        state = after(state, entry)
    due: list[Message] = []
    held: list[Message] = []
    for rule in alerts.rules.values():
        is_quiet = rule.quiet_hours is not None and rule.quiet_hours.hold(local)
        for name in rule.to:
            if name in receivers and (news := _news(rule, name, cases[rule.name], state)):
                language = alerts.receivers[name].language
                message = message_of(rule, name, language, news, state, business_date, local.tzinfo or UTC)
                (held if is_quiet else due).append(message)
    return Plan(publish_id, business_date, cases, known, state, over, due, held)


def send(
    settings: Settings,
    alerts: Alerts,
    receivers: Sequence[str],
    at: datetime,
    run_id: str,
    sleep: Sleep = time.sleep,
) -> Result:
    """Tell the receivers what they have not been told.

    Parameters
    ----------
    at : datetime
        Now, in any time zone; it is what the lake keeps as the time of sending.
    sleep : callable
        Waits for so many seconds before a target is asked again.

    Raises
    ------
    NotTold
        After all messages, if a target did not take one.
    Stop
        If nothing is published, a rule does not fit its table, or another run sends.
    """
    with planned(settings, alerts, receivers, at) as now:
        return tell(settings, alerts, now, at, run_id, sleep)


@contextmanager
def planned(settings: Settings, alerts: Alerts, receivers: Sequence[str], at: datetime) -> Generator[Plan]:
    """What is to be told now; until the block ends, no other process tells anything.

    Raises
    ------
    Stop
        If nothing is published, a rule does not fit its table, or another run has been sending for a minute.
    """
    with _alone(settings):
        yield plan(settings, alerts, receivers, at)


def tell(settings: Settings, alerts: Alerts, now: Plan, at: datetime, run_id: str, sleep: Sleep = time.sleep) -> Result:
    """Tell what is `planned`; see `send`."""
    state = now.known
    for entry in _ended(now.over, at):
        state = append(settings.lake, entry, state)
    failures: list[Stop] = []
    for message in now.messages:
        told = _tell(settings, message, alerts.receivers[message.receiver], at, sleep)
        if told.kind != "sent":
            failures.append(Stop(f"{message.receiver}: {told.error}"))
        state = append(settings.lake, _entry(now, message, alerts, told, at, run_id), state)
    if failures:
        count = len(now.messages) - len(failures)
        raise NotTold(
            f"{count} of {len(now.messages)} messages were sent; {failures[0]}", "then c360 alerts send"
        ) from failures[0]
    return Result(len(now.messages), len(now.held), len(now.over))


def acknowledge(settings: Settings, alerts: Alerts, rule: str, case: str, by: str, why: str, at: datetime) -> None:
    """Take a case on: nobody is told of it until it changes.

    Raises
    ------
    Stop
        If there is no such rule, the case is not open, or it is one of those that are worked on in the workbench.
    """
    if rule not in alerts.rules:
        raise Stop(f"there is no rule {rule}", f"use one of {', '.join(alerts.rules)}")
    if alerts.rules[rule].is_of_cases:
        raise Stop(f"the cases of rule {rule} are worked on in the workbench", "take the case on there, under Cases")
    if not by.strip():
        raise Stop("nobody acknowledges it", "give a name or a staff number with --by")
    with planned(settings, alerts, (), at) as now:
        found = next((one for one in now.cases[rule] if one.name == case), None)
        if found is None:
            raise Stop(f"rule {rule} has no case {case} now", f"c360 alerts list --rule {rule} shows those it has")
        taken = Entry(
            kind="acknowledged",
            at=_utc(at),
            rule=rule,
            cases=[CaseState(case=case, state=found.state)],
            by=by,
            why=why,
        )
        append(settings.lake, taken, now.known)


def _news(rule: Rule, receiver: str, cases: Sequence[Case], state: State) -> list[Case]:
    """The cases of which a receiver has not been told as they are, and that nobody has taken on as they are."""
    news = []
    for case in cases:
        known = state.of(rule.name, case.name)
        told, taken = known.told.get(receiver), known.acknowledged
        is_told = told is not None and told.state == case.state
        is_taken = taken is not None and taken.state == case.state
        if not is_told and not is_taken:
            news.append(case)
    return news


def _ended(over: Sequence[tuple[str, str]], at: datetime) -> list[Entry]:
    """An entry for each rule of which cases are over."""
    cases: dict[str, list[CaseState]] = {}
    for rule, case in over:
        cases.setdefault(rule, []).append(CaseState(case=case, state=""))
    return [Entry(kind="over", at=_utc(at), rule=rule, cases=ended) for rule, ended in cases.items()]


def _tell(settings: Settings, message: Message, receiver: Receiver, at: datetime, sleep: Sleep) -> _Told:
    asking = asked_again(receiver.retry, sleep)
    kind: Kind = "sent"
    try:
        error = asking(deliver_to(settings, receiver, at), message)
    except Unreachable as failure:
        kind, error = "unreachable", str(failure)
    except (Refused, Stop) as failure:  # secret, address or server are not what the rules say
        kind, error = "refused", str(failure)
    return _Told(kind, asking.statistics.get("attempt_number", 1), error or None)


def _entry(now: Plan, message: Message, alerts: Alerts, told: _Told, at: datetime, run_id: str) -> Entry:
    return Entry(
        kind=told.kind,
        at=_utc(at),
        rule=message.rule.name,
        cases=[CaseState(case=case.name, state=case.state) for case in message.cases],
        receiver=message.receiver,
        message_id=message.id,
        severity=message.rule.severity,
        target=alerts.receivers[message.receiver].place,
        publish_id=now.publish_id,
        business_date=str(now.business_date),
        attempts=told.attempts,
        error=told.error,
        run_id=run_id,
    )


@contextmanager
def _alone(settings: Settings) -> Generator[None]:
    """One process at a time tells and notes it."""
    folder = folder_of(settings.lake)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
            yield
    except Timeout:
        raise Stop("alerts are being sent by another run", "wait until it has ended") from None


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
