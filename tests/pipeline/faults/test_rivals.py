"""Two runs of a date at the same time."""

import pytest

from tests.pipeline.faults.installation import D1, LAST_OF_HISTORY, Installation, command_of

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]


@pytest.mark.faults("at_once")
def test_a_date_twice_at_once(installation: Installation) -> None:
    runs = [command_of(installation.settings, D1) for _ in range(2)]
    said = [run.communicate(timeout=900)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    installation.sees(LAST_OF_HISTORY, D1)
    installation.equals(D1)
