"""The bank is as hard to predict as docs/SIMULATOR.md says: figures of the true hazards and of one-line rules."""

from collections import defaultdict
from pathlib import Path

import pytest

from lakehouse.errors import Stop
from simulator import generate
from simulator.difficulty import Figure, measure

BASE_RATES = {
    "churn": (0.03, 0.06),
    "tier_upgrade": (0.03, 0.07),
    "tier_downgrade": (0.03, 0.07),
    "delinquency": (0.03, 0.06),
}


def check(figures: list[Figure], rules_up_to: float) -> None:
    by_task: dict[str, dict[str, Figure]] = defaultdict(dict)
    for figure in figures:
        by_task[figure.task][figure.score] = figure
    assert by_task.keys() == BASE_RATES.keys()
    for task, scores in by_task.items():
        hazard = scores.pop("hazard")
        low, high = BASE_RATES[task]
        assert low <= hazard.base_rate <= high, hazard
        assert 0.84 <= hazard.auc <= 0.94, hazard
        assert hazard.mean_hazard == pytest.approx(hazard.base_rate, rel=0.25), "hazards are not calibrated"
        assert len(scores) >= 4
        assert all(figure.auc <= rules_up_to for figure in scores.values()), scores


def test_true_hazards_and_rules_lie_in_their_bands(tmp_path: Path) -> None:
    generate(12_000, 13, 7, tmp_path)
    check(measure(tmp_path), 0.75)


@pytest.mark.full
def test_bands_hold_for_a_larger_bank_of_another_seed(tmp_path: Path) -> None:
    generate(30_000, 18, 2026, tmp_path)
    check(measure(tmp_path), 0.76)


def test_too_short_a_history_is_refused(tmp_path: Path) -> None:
    generate(300, 3, 1, tmp_path)
    with pytest.raises(Stop, match="ten months"):
        measure(tmp_path)
