"""A rival and ours on the same input: seconds, quality, and what was to be reached; and the table of all of them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from rich.table import Table

from ml_jobs.learning.metrics import Figure


@dataclass(frozen=True)
class Side:
    """How one of the two did."""

    seconds: float  # wall clock
    parts: Mapping[str, float] = field(default_factory=dict)  # seconds, by part
    quality: Figure | None = None  # 0 to 1, with its 95 % interval


@dataclass(frozen=True)
class Goal:
    """What ours is to reach: at least ``ratio`` times as fast, at a quality that is better, or no worse.

    A quality is better where the 95 % interval of the difference lies above 0, and no worse where it reaches 0.
    """

    ratio: float
    quality: Literal["", "better", "equal"] = ""
    measure: str = ""  # what the quality is: F1, AUC

    def __str__(self) -> str:
        speed = "not slower" if self.ratio == 1 else f"{self.ratio:g}x"
        return f"{speed} at {self.quality} {self.measure}" if self.quality else speed

    def is_reached(self, ratio: float, gain: Figure | None) -> bool:
        """Whether a ratio of seconds, and our quality less the rival's, are what was to be reached."""
        if self.quality and gain is None:
            return False
        is_good = gain is None or (gain["low"] > 0 if self.quality == "better" else gain["high"] >= 0)
        return ratio >= self.ratio and is_good


@dataclass(frozen=True)
class Comparison:
    """A rival and ours on the same input."""

    what: str
    rival: str
    theirs: Side
    ours: Side
    goal: Goal
    gain: Figure | None = None  # our quality less theirs, with its 95 % interval
    unequal: tuple[str, ...] = ()  # what must be equal and is not: then the seconds say nothing

    @property
    def ratio(self) -> float:
        """The rival's seconds over ours: above 1, ours is faster."""
        return self.theirs.seconds / self.ours.seconds

    @property
    def verdict(self) -> str:
        """Whether the goal is reached, where the two are comparable at all."""
        if self.unequal:
            return "UNEQUAL"
        return "ok" if self.goal.is_reached(self.ratio, self.gain) else "MISSED"

    def as_json(self) -> dict[str, object]:
        """All of it for a program to read."""
        return asdict(self) | {"goal": str(self.goal), "ratio": self.ratio, "verdict": self.verdict}


def differences(ours: Mapping[str, tuple], theirs: Mapping[str, tuple]) -> tuple[str, ...]:
    """Figures that are to be equal and are not, in words.

    >>> differences({"postings": (2, 5), "months": (1,)}, {"postings": (2, 4), "months": (1,)})
    ('postings: (2, 5) of ours, (2, 4) of the rival',)
    """
    pairs = ((name, figures, theirs[name]) for name, figures in ours.items())
    return tuple(f"{name}: {mine} of ours, {other} of the rival" for name, mine, other in pairs if mine != other)


def table(comparisons: Iterable[Comparison]) -> Table:
    """The comparisons for people, one line each."""
    shown = Table("what", "the rival", show_lines=True)
    for name in ("its s", "our s", "ratio"):
        shown.add_column(name, justify="right", no_wrap=True)
    for name in ("goal", "its quality", "our quality", "ours less its", ""):
        shown.add_column(name)
    for one in comparisons:
        shown.add_row(
            one.what,
            one.rival,
            f"{one.theirs.seconds:,.1f}",
            f"{one.ours.seconds:,.1f}",
            f"{one.ratio:.2f}x",
            str(one.goal),
            *(_with_interval(figure) for figure in (one.theirs.quality, one.ours.quality, one.gain)),
            one.verdict,
        )
    return shown


def _with_interval(figure: Figure | None) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})" if figure else "-"
