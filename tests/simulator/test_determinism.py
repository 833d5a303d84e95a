"""The same seed writes the same bytes, whatever the chunk; another seed does not."""

import hashlib
from pathlib import Path
from types import ModuleType

import pytest

from lakehouse.errors import Stop
from simulator import adjustments, generate, wishes


def fingerprints(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_bytes_do_not_depend_on_the_chunk(tmp_path: Path) -> None:
    for name, seed, chunk in (("small", 3, 1), ("large", 3, 10_000), ("other", 4, 10_000)):
        generate(600, 4, seed, tmp_path / name, days=2, faults=True, chunk=chunk)
    small, large, other = (fingerprints(tmp_path / name) for name in ("small", "large", "other"))
    assert len(small) > 100
    assert small == large
    assert small.keys() == other.keys()
    assert sum(small[name] != other[name] for name in small) > len(small) / 2


def test_a_folder_that_is_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    with pytest.raises(Stop, match="choose another folder"):
        generate(10, 1, 1, tmp_path)


def test_a_single_month_is_enough(tmp_path: Path) -> None:
    generate(50, 1, 1, tmp_path)
    assert list((tmp_path / "landing" / "transactions").glob("*.dat"))


def test_days_may_go_on_for_months(tmp_path: Path) -> None:
    generate(200, 1, 5, tmp_path, days=90)
    assert len(list((tmp_path / "landing" / "transactions").glob("transactions_*_v1.dat"))) == 91


@pytest.mark.parametrize(
    ("module", "changed", "feed"), [(wishes, "_REFUSE", "consents"), (adjustments, "_LEAST", "adjustments")]
)
def test_what_people_refuse_or_adjust_changes_no_byte_of_another_feed(
    bank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, changed: str, feed: str
) -> None:
    monkeypatch.setattr(module, changed, {"_REFUSE": (1.0, 1.0), "_LEAST": 90_000}[changed])
    generate(700, 5, 11, tmp_path, days=2)
    before, now = fingerprints(bank), fingerprints(tmp_path)
    assert before.keys() == now.keys()
    different = {name.split("/")[1] for name in before if before[name] != now[name]}
    assert different == {feed}
