"""The gates between the layers: landing -> raw, and marts -> readers.

A gate profiles what is new in small frames, and checks them against the suites under ``suites/`` with Great
Expectations. A failed expectation of severity ``critical`` stops the day, a ``warning`` is listed. Either way,
pages of what came of it are written beside the lake, below `data_docs`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from expectations import marts_profile, raw_profile
from expectations.marts_profile import ExpectedScore
from expectations.overview import write_overview, write_pages
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.lake import Pin
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One expectation that was not met."""

    suite: str
    expectation: str
    subject: str  # the column or columns
    observed: str
    severity: str  # "critical", "warning"
    what_to_do: str

    def __str__(self) -> str:
        return (
            f"{self.suite}: {self.expectation} on {self.subject} was not met: {self.observed}. "
            f"What to do: {self.what_to_do}"
        )


@dataclass(frozen=True)
class GateResult:
    """The result of a gate; ``docs`` is the page that leads to those of its suites."""

    gate: str
    business_date: date
    checks: int
    findings: tuple[Finding, ...]
    docs: Path

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that stop the day."""
        return tuple(finding for finding in self.findings if finding.severity == "critical")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that do not."""
        return tuple(finding for finding in self.findings if finding.severity != "critical")


class GateFailed(Stop):
    """A critical expectation was not met: nothing passes the gate."""

    def __init__(self, result: GateResult):
        super().__init__(
            f"gate {result.gate} for {result.business_date}: {len(result.failures)} of {result.checks} expectations "
            "failed, nothing passed on. " + " | ".join(map(str, result.failures)) + f" | all checks: {result.docs}"
        )
        self.result = result
        self.remedy = " ".join(dict.fromkeys(finding.what_to_do for finding in result.failures))

    def __reduce__(self):  # pickled between processes by its result: the message alone does not rebuild it
        return type(self), (self.result,)


def check_raw(settings: Settings, pin: Pin, channels: Iterable[str]) -> GateResult:
    """Check the deliveries of some channels, as known by the pin's business date.

    Raises
    ------
    GateFailed
        If a critical expectation is not met.
    """
    channels = tuple(channels)
    frames = raw_profile.frames(settings.lake, pin, load_deployment(settings.deployment), channels)
    return _passed(settings, "raw_" + "_".join(channels), pin.business_date, frames)


def check_marts(settings: Settings, business_date: date, scores: Iterable[ExpectedScore]) -> GateResult:
    """Check what the build engine holds for the business date, before readers see it.

    Parameters
    ----------
    scores : iterable of ExpectedScore
        One for each task of the bank.

    Raises
    ------
    GateFailed
        If a critical expectation is not met.
    """
    return _passed(settings, "marts", business_date, marts_profile.frames(settings, business_date, scores))


def _passed(settings: Settings, gate: str, business_date: date, frames: dict[str, pa.Table]) -> GateResult:
    from expectations.checkpoint import validate  # Great Expectations takes seconds to import, and few steps need it

    docs = settings.lake.parent / "data_docs"
    findings, checks = validate(docs / gate, gate, business_date, frames)
    write_pages(docs, gate, str(business_date))
    overview = write_overview(docs)
    result = GateResult(gate, business_date, checks, tuple(Finding(**finding) for finding in findings), overview)
    if result.failures:
        raise GateFailed(result)
    return result
