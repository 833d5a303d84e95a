"""What the model does where Splink gives up."""

from dataclasses import dataclass
from types import SimpleNamespace

from lakehouse.identity.model import maximise_expectation


@dataclass
class Training:
    """Splink's settings of the iterations."""

    max_iterations: int = 0


class GivesUp:
    """A linker whose first attempt fails as Splink does: with the comparison of the block left out."""

    def __init__(self) -> None:
        self._settings_obj = SimpleNamespace(
            core_model_settings=SimpleNamespace(comparisons=["name", "phone"]), training_settings=Training()
        )
        self.training = self
        self.attempts = []

    def estimate_parameters_using_expectation_maximisation(self, block: str, **options: bool) -> None:
        comparisons = self._settings_obj.core_model_settings.comparisons
        self.attempts.append((self._settings_obj.training_settings.max_iterations, list(comparisons)))
        if len(self.attempts) == 1:
            comparisons.remove("name")
            raise ValueError("m_probability value 1e-300 is below the minimum allowed value")


def test_a_failed_attempt_leaves_every_comparison_for_the_next():
    linker = GivesUp()
    maximise_expectation(linker, "l.name = r.name")
    assert linker.attempts == [(25, ["name", "phone"]), (12, ["name", "phone"])]
