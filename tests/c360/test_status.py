"""What a run says that did not stop it is printed; what stopped one is named, with the gate, the day and the remedy."""

from datetime import date

import pytest

from c360 import pipeline
from c360.status import lines_of, read_status
from expectations.gates import Finding, GateFailed, GateResult
from lakehouse.errors import Stop
from lakehouse.lake.runs import recorded
from lakehouse.settings import Settings

DAY, NEXT = date(2026, 1, 5), date(2026, 1, 6)


def failed_gate(settings: Settings) -> GateFailed:
    finding = Finding(
        "marts_totals", "between", "today", "observed 0", "critical", "Check that accounts were delivered."
    )
    return GateFailed(GateResult("marts", DAY, 3, (finding,), settings.lake / "index.html"))


def fail(settings: Settings, step: str, failure: Exception, day: date = DAY, run: str = "run 1") -> None:
    with pytest.raises(type(failure)), recorded(settings, run, step, day):
        raise failure


def succeed(settings: Settings, step: str, day: date = DAY, run: str = "run 2", **detail: object) -> None:
    with recorded(settings, run, step, day) as about:
        about.update(detail)


def lines(settings: Settings) -> list[str]:
    return [f"{name} {text}" for name, text in lines_of(read_status(settings))]


def test_a_gate_that_failed_is_named_with_its_day_and_its_remedy(settings: Settings) -> None:
    fail(settings, "serve", failed_gate(settings))
    (failure,) = read_status(settings).failed
    assert (failure.business_date, failure.step, failure.gate) == (str(DAY), "serve", "marts")
    assert failure.remedy == f"Check that accounts were delivered; then c360 run --from {DAY}"
    assert lines(settings)[0].startswith(f"failed {DAY} serve (gate marts): GateFailed: gate marts for {DAY}: 1 of 3")


@pytest.mark.parametrize(
    ("step", "failure", "remedy"),
    [
        ("check_branch", pipeline.NotReady("required feed balances is missing", "deliver it"), "deliver it; then "),
        ("build", Stop("disk full", "free some space"), "free some space; then "),
        ("score", ValueError("unexpected"), "c360 run --from "),
    ],
)
def test_a_step_that_failed_is_named_with_what_to_do(
    settings: Settings, step: str, failure: Exception, remedy: str
) -> None:
    fail(settings, step, failure)
    (shown,) = read_status(settings).failed
    assert (shown.step, shown.gate) == (step, None)
    assert shown.remedy.startswith(remedy) and "deliver it" not in shown.error


def test_what_was_run_again_with_success_has_not_failed(settings: Settings) -> None:
    fail(settings, "build", Stop("disk full"))
    succeed(settings, "build")
    assert read_status(settings).failed == []
    fail(settings, "check_branch", Stop("balances are missing"), run="run 3")
    succeed(settings, "serve", NEXT, "run 4")  # a later date is published: this one was run within it
    assert read_status(settings).failed == []
    fail(settings, "check_branch", Stop("balances are missing"), NEXT, "run 5")
    assert [failure.business_date for failure in read_status(settings).failed] == [str(NEXT)]


def test_the_warnings_of_the_newest_run_show(settings: Settings) -> None:
    succeed(settings, "check_branch", run="run 1", warnings=["3 rows in quarantine"])
    succeed(settings, "serve", run="run 2", warnings=["a tenth more"])
    assert read_status(settings).warnings == {"serve": ["a tenth more"]}
    assert "warning of serve a tenth more" in lines(settings)


def test_a_run_prints_what_its_steps_say_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"check_delivered": "late rows", "build": "five rows have an unknown account", "serve": "late rows"}
    for name in ("check_delivered", "build", "score", "network", "serve"):

        def step(settings: Settings, day: date, *rest: object, name: str = name) -> None:
            with recorded(settings, str(rest[-1]), name, day) as detail:
                detail["warnings"] = [said[name]] if name in said else []

        step.__name__ = name
        monkeypatch.setattr(pipeline, name, step)
    monkeypatch.setattr(pipeline, "ingest", lambda *_: [])
    printed: list[str] = []
    pipeline.run_date(settings, DAY, "run 1", printed.append)
    warnings = [line for line in printed if "warning" in line]
    assert warnings == [f"{DAY} warning: late rows", f"{DAY} warning: five rows have an unknown account"]
