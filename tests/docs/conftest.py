"""The folder of a reader of the docs after ``make demo``, with a small bank in place of the demonstration."""

import os
from pathlib import Path

import pytest

from demo.__main__ import SECRETS
from lakehouse.settings import PROJECT, Settings
from tests.pipeline.bank import copy_of
from tests.pipeline.conftest import history, landing, shared  # noqa: F401  fixtures: the bank of pipeline's tests

NOT_LINKED = {"var", ".git"}


@pytest.fixture(scope="session")
def reader(history: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """The project's folder as links, and ``var/demo`` with a published bank, its settings and its secret."""
    folder = tmp_path_factory.mktemp("reader")
    for path in PROJECT.iterdir():
        if path.name not in NOT_LINKED:
            (folder / path.name).symlink_to(path)
    demo = folder / "var" / "demo"
    demo.mkdir(parents=True)
    bank = copy_of(history, demo)
    (demo / "env").write_text(bank.shell(without=SECRETS))
    secret = demo / "token.secret"
    secret.touch(mode=0o600)
    secret.write_text(bank.token_secret.get_secret_value())
    (demo / "landing").symlink_to(bank.landing)
    (demo / "truth").symlink_to(bank.landing.parent / "truth")
    return folder


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of a shell that knows no installation yet, and runs the code that is tested."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("C360_", "PYTEST_"))}
    return kept | {"PYTHONPATH": str(PROJECT), "COLUMNS": "120"}
