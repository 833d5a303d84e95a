"""From which columns a published column derives, against what was read out of the SQL by hand."""

from pathlib import Path

import yaml

from lakehouse.settings import Settings
from lakehouse.warehouse.derivation import read_lineage

TRUTH: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "lineage_truth.yml").read_text())


def test_columns_derive_from_what_was_read_by_hand(history: Settings) -> None:
    lineage = read_lineage(history)
    for column in TRUTH:
        lineage.require(column)
    read = {(column, root) for column, roots in TRUTH.items() for root in roots}
    found = {(column, root) for column in TRUTH for root in lineage.roots(column)}
    assert len(TRUTH) == 60
    assert len(read & found) / len(found) >= 0.97, sorted(found - read)
    assert len(read & found) / len(read) >= 0.95, sorted(read - found)
