"""The machine is lost: a backup comes back in another place, every table as it was, and says how long that took."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from c360.recovery import recover
from lakehouse.backup.restoring import place_of
from lakehouse.backup.taking import back_up
from lakehouse.settings import Settings
from tests.faults_table import Fault
from tests.pipeline.faults.conftest import Install
from tests.pipeline.faults.installation import D1, LAST_OF_HISTORY, Installation

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
STEPS = {  # of a restore: on Postgres the store is in no backup, but built from the lake
    "duckdb": ["copy", "erasures", "verify", "store"],
    "postgres": ["copy", "erasures", "verify", "build", "score", "network", "serve"],
}


def without_a_store(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """The settings of the machine that takes over: on Postgres they name an empty database."""
    if settings.target == "duckdb":
        return settings
    server = request.getfixturevalue("server")
    return settings.model_copy(update={"postgres_dsn": SecretStr(server.create("elsewhere"))})


@pytest.mark.faults("machine_lost")
def test_a_backup_comes_back_in_another_place(
    install: Install, fault: Fault, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture
) -> None:
    living = install()
    living.recovers(D1)
    back_up(living.settings, tmp_path / "vault", with_landing=True)
    other = without_a_store(living.settings, request)
    back = recover(other, tmp_path / "vault", tmp_path / "back", None, lambda _: None)
    assert [one.step for one in back.stages] == STEPS[other.target]
    assert (back.business_date, back.backup) == (D1, 1)
    restored = Installation(place_of(other, tmp_path / "back"), living.known, fault)
    restored.sees(LAST_OF_HISTORY, D1)
    restored.equals(D1)
    with capsys.disabled():
        print(f"\n{other.target}: readable after {back.readable_seconds:.1f} s")
        for one in back.stages:
            print(f"  {one.step:<8} {one.seconds:7.1f} s, {one.files} files, {one.rows} rows")
