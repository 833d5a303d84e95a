"""The examples in docstrings of the lakehouse, the simulator and the benches run, and give what they show."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

from lakehouse.settings import PROJECT


def modules_with_examples() -> list[str]:
    files = [path for folder in ("lakehouse", "simulator", "benchmarks") for path in (PROJECT / folder).rglob("*.py")]
    return sorted(_name(path) for path in files if ">>> " in path.read_text(encoding="utf-8"))


def _name(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("module", modules_with_examples())
def test_examples_give_what_they_show(module: str) -> None:
    result = doctest.testmod(import_module(module))
    assert result.attempted > 0
    assert result.failed == 0
