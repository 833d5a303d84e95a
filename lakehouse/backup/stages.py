"""How long each stage of a restore took, and how much it went through."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic


@dataclass
class Stage:
    """One stage; a count that says nothing of it is None."""

    step: str
    seconds: float = 0.0
    files: int | None = None
    rows: int | None = None


class Stopwatch:
    """The stages so far, in their order."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self._began = monotonic()

    @contextmanager
    def stage(self, name: str) -> Generator[Stage]:
        """Time the block, which may fill the counts; one that fails is none.

        >>> watch = Stopwatch()
        >>> with watch.stage("copy") as stage:
        ...     stage.files = 2
        >>> [(one.step, one.files, one.seconds < 1) for one in watch.stages]
        [('copy', 2, True)]
        """
        stage, began = Stage(name), monotonic()
        yield stage
        stage.seconds = round(monotonic() - began, 2)
        self.stages.append(stage)

    @property
    def seconds(self) -> float:
        """Since the watch was made."""
        return round(monotonic() - self._began, 2)
