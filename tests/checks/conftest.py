"""A copy of the tree as a repository of its own, into which tests plant what a check must find."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakehouse.settings import PROJECT

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "var", "logs", "__pycache__", ".*_cache", "*.egg-info")
Plant = Callable[[str, dict[str, str]], str]


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree as it stands, with this environment."""
    folder = tmp_path_factory.mktemp("tree") / "c360"
    shutil.copytree(PROJECT, folder, ignore=LEFT_OUT)
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


@contextmanager
def _written(tree: Path, files: dict[str, str]) -> Iterator[None]:
    before = {name: (tree / name).read_text() if (tree / name).exists() else None for name in files}
    for name, text in files.items():
        (tree / name).write_text(text)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                (tree / name).unlink()
            else:
                (tree / name).write_text(text)


@pytest.fixture
def plant(tree: Path) -> Plant:
    """What a hook says of planted files, by their names; it must fail."""

    def run(hook: str, files: dict[str, str]) -> str:
        with _written(tree, files):
            command = [".venv/bin/pre-commit", "run", hook, "--files", *files]
            done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
        assert done.returncode == 1, f"{hook} lets it pass: {done.stdout}{done.stderr}"
        return done.stdout

    return run
