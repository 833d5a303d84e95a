"""The figures of the tree count what they say they count."""

from pathlib import Path

import pytest

from checks import figures

PYPROJECT = """
[tool.importlinter]
[[tool.importlinter.contracts]]
type = "layers"
layers = ["roof", "left | right", "ground"]
"""


PATCH = "monkeypatch.setattr"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A tree with one of each fault."""
    long = "def long():\n" + "".join(f"    step_{number}\n" for number in range(figures.LONG))
    loose = (
        "class A:\n"
        "    def shown(self, given: dict[str, Any]) -> None: ...\n"
        "    def _hidden(self) -> dict[str, Any]: ...\n"
    )
    copied = "".join(f"line_{number} = {number}\n" for number in range(figures.RUN))
    for name, text in {
        "pyproject.toml": PYPROJECT,
        "roof/a.py": "import ground.a\n" + copied,
        "left/a.py": "def lazily():\n    from right import a\n\n    import roof\n" + copied,
        "right/a.py": long,
        "ground/a.py": loose,
        "tests/test_a.py": f'{PATCH}("left.a._hidden", 1)\n{PATCH}(left, "shown", 1)\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_each_fault_is_counted_once(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["figures", str(house)])
    figures.main()
    said = capsys.readouterr().out.splitlines()
    for line in (
        f"functions over {figures.LONG} lines: 1; the longest",
        f"  {figures.LONG + 1:>4}  right/a.py: long",
        "public signatures with dict[str, Any]: 1",
        "  ground/a.py: A.shown",
        "imports that run upwards: 2",
        "  left/a.py imports right",
        "  left/a.py imports roof",
        "private names that tests patch: 1",
        "  packages                          1",
    ):
        assert line in said
