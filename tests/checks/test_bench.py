"""`make bench` comes to its end: pipeline and straight line agree, and every stage has its seconds."""

from pathlib import Path

import pytest

from benchmarks.bench import measure, report
from benchmarks.full_build import COMPARED_MARTS

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]


def test_a_small_bank_is_measured_from_its_files_to_the_day_on_top(tmp_path: Path) -> None:
    figures = measure(tmp_path / "bank", customers=150, months=7, seed=5)
    assert set(COMPARED_MARTS) <= figures.compared_models.keys()
    assert figures.transactions > 0 and figures.full_seconds > 0
    assert figures.one_more_day_steps.keys() == {stage.name for stage in figures.full_build}
    assert "one more day" in report(figures)
