"""How far runs and commands have come, and when they will end, by what is at work and by how long it took lately."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from lakehouse.lake.running import Work, at_work, usual_seconds
from lakehouse.language import ENGLISH, Voice

STAGES = ("ingest", "build", "score", "network", "serve")  # of a business date
SHOWN = 3  # steps at work side by side
_STAGE_OF = {"check": "ingest", "retrain": "score"}  # steps of another name, by their first word


@dataclass(frozen=True)
class Going:
    """A run or command at work; times are UTC."""

    works: Sequence[Work]  # steps of it that are at work, one or more; what began first in front
    stage: int | None  # place in `STAGES`, from 1; a command has none
    ends: datetime | None  # if it takes as long as usual; unknown the first time

    @property
    def first(self) -> Work:
        """What began first."""
        return self.works[0]

    def said(self, say: Voice = ENGLISH) -> str:
        """What is being done, as one line."""
        named = [step_said(work.name, say).removeprefix(f"{say.code('ingest')} ") for work in self.works[:SHOWN]]
        names = say.listed(named) + (" …" if len(self.works) > SHOWN else "")
        if self.stage is None:
            return names
        stage = say("step {number} of {count}, {name}", number=self.stage, count=len(STAGES), name=say.code(self._name))
        return stage if names == say.code(self._name) else f"{stage}: {names}"

    def part(self, say: Voice = ENGLISH) -> str:
        """What of it is being done, and how many parts there are."""
        work = self.first
        count = say("{done} of {total}", done=work.done, total=work.total) if work.total else ""
        return say.listed([say.code(work.part), count])

    @property
    def _name(self) -> str:
        return STAGES[self.stage - 1] if self.stage else ""


def going_on(lake: Path | None, now: datetime) -> list[Going]:
    """Runs and commands at work on this lake, what began first in front."""
    runs: dict[object, list[Work]] = {}
    for work in at_work(lake):
        runs.setdefault(work.run_id or id(work), []).append(work)
    return [_going(lake, works, now) for works in runs.values()]


def step_said(step: str, say: Voice = ENGLISH) -> str:
    """The name of a step for people: what is done, and for which feed, channels or target.

    >>> step_said("ingest_loan_repayments", Voice("zh")), step_said("check_branch_online"), step_said("build")
    ('入库 贷款还款', 'check branch, online', 'build')
    """
    what, _, of = step.partition("_")
    if what == "check":
        return f"{say.code(what)} {say.listed([say.code(channel) for channel in of.split('_')])}"
    return f"{say.code(what)} {say.code(of)}" if what in ("ingest", "activate") and of else say.code(step)


def stage_line(lake: Path, business_date: date, stage: str) -> str:
    """What begins: which stage of how many, and how long it took lately."""
    usual = usual_seconds(lake, stage)
    about = "" if usual is None else f", about {clock(usual)}"
    return f"{business_date} {STAGES.index(stage) + 1} of {len(STAGES)}{about}: {stage}"


def line_of(going: Going, now: datetime, say: Voice = ENGLISH) -> str:
    """What is going on, for a terminal."""
    work, part = going.first, going.part(say)
    took = clock(work.seconds(now))
    doing = f"{work.business_date or ''} {going.said(say)}{f' ({part})' if part else ''}".strip()
    if work.usual_seconds is not None:
        took = say("{took} of about {usual}", took=took, usual=clock(work.usual_seconds))
    return say.listed([doing, took])


def clock(seconds: float) -> str:
    """A span of time, as a stop watch shows it.

    >>> clock(7.4), clock(95), clock(3720)
    ('0:07', '1:35', '1:02:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _going(lake: Path | None, works: list[Work], now: datetime) -> Going:
    stage = _stage(works[0].name)
    left = [work.seconds_left(now) for work in works]
    if stage is not None and lake:
        left += [usual_seconds(lake, later) for later in STAGES[stage:]]
    known = [seconds for seconds in left if seconds is not None]
    if len(known) < len(left):
        return Going(works, stage, None)
    side_by_side, later = known[: len(works)], known[len(works) :]
    return Going(works, stage, now + timedelta(seconds=max(side_by_side) + sum(later)))


def _stage(step: str) -> int | None:
    first = step.partition("_")[0]
    name = _STAGE_OF.get(first, first)
    return STAGES.index(name) + 1 if name in STAGES else None
