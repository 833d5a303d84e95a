"""What the project says of its published columns: where each comes from, its level, what checks the critical ones.

It is read from the code, once per version of it, and kept in the lake, from which dbt makes ``ops.lineage``,
``ops.column_levels``, ``ops.critical_elements`` and ``ops.adjustments_in_reports``.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import expectations
from c360 import element_uses
from lakehouse import catalog, lake
from lakehouse.catalog import COLUMN_LEVELS, COLUMN_LINEAGE, ELEMENT_CONTROLS, ELEMENT_USES, Relation
from lakehouse.contracts import load_feeds
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse import levels, origins, seeds
from lakehouse.warehouse.dbt import ManifestFile, read_manifest
from lakehouse.warehouse.derivation import Lineage, keep_lineage, name_of, read_lineage

CHECKS = Path(expectations.__file__).parent  # its suites, and what their frames are made of
CONTRACTS = PROJECT / "feeds"
USES = element_uses.MADE_FROM
BREAKS = "ops.reconciliation.break_amount"
KEY_TESTS = ("unique", "has_unique_key")
Row = Mapping[str, str | bool | None]


def describe(settings: Settings, variables: Mapping[str, object]) -> Path:
    """The folder of the lake with the lineage and the controls of the project as it stands; made if it is new.

    Parameters
    ----------
    variables : mapping
        dbt's.

    Raises
    ------
    lakehouse.errors.Stop
        If the SQL of a model cannot be followed; the message names it.
    """
    digest = hashlib.sha256(keep_lineage(settings, variables).encode())
    levelled = (levels.RULES, Path(levels.__file__), Path(catalog.__file__), *CONTRACTS.glob("*/*.yml"))
    for path in sorted([*CHECKS.glob("*.py"), *CHECKS.glob("suites/*.yml"), *levelled, *USES, Path(__file__)]):
        digest.update(path.read_bytes())
    folder = lake.lineage_folder(settings.lake, digest.hexdigest()[:16])
    if not folder.exists():
        lineage = read_lineage(settings)
        controls = list(_controls(settings, lineage))
        wholes = {row["element"]: row["part_of"] for row in seeds.load_seeds()["adjustable_elements"].rows()}
        uses = list(element_uses.uses_of(wholes, read_manifest(settings), lineage))
        with lake.appearing_folder(folder) as temporary:
            _write(temporary, COLUMN_LINEAGE, origins.rows(lineage))
            _write(temporary, COLUMN_LEVELS, levels.levels_of(lineage, levels.load_rules()).rows)
            _write(temporary, ELEMENT_CONTROLS, controls)
            _write(temporary, ELEMENT_USES, uses)
    return folder


def _write(folder: Path, relation: Relation, rows: Sequence[Row]) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows), relation.arrow_schema), folder / f"{relation.name}.parquet")


def _controls(settings: Settings, lineage: Lineage) -> Iterator[Row]:
    """A check looks at an element if it looks at its column, or at one from which the column derives.

    What is made of the columns of which breaks with the bank's balances are made is looked at by what looks at these.
    """
    from expectations.coverage import mart_checks, raw_checks

    manifest = read_manifest(settings)
    gate, tests = mart_checks(manifest, settings.target), _data_tests(manifest)
    breaks = {BREAKS, *lineage.sources(BREAKS)}
    for element in (row["element"] for row in seeds.load_seeds()["critical_elements"].rows()):
        way = {element, *lineage.sources(element)}
        if set(lineage.roots(element)) & set(lineage.roots(BREAKS)) & _of_feeds(breaks):
            way |= breaks
        found = {
            "raw gate": raw_checks(lineage.roots(element)),
            "mart gate": [check.name for check in gate if way & check.columns],
            "data test": [name for name, columns in tests.items() if element in columns],
        }
        for kind, names in found.items():
            yield from ({"element": element, "control_kind": kind, "control": name} for name in names)


def _of_feeds(columns: Iterable[str]) -> set[str]:
    return {column for column in columns if column.rpartition(".")[0] in load_feeds()}


def _data_tests(manifest: ManifestFile) -> dict[str, set[str]]:
    """dbt's tests of one model, and what its contract asks, by name; with the columns that each looks at.

    A test of a key looks at every column: a row that comes twice doubles all of its figures.
    """
    nodes, found = manifest["nodes"], {}
    for node in nodes.values():
        if node["resource_type"] == "model":
            for column in node["columns"].values():
                for constraint in column["constraints"]:
                    name = f"{node['alias']}: {constraint['type']} ({column['name']})"
                    found[name] = {_published(node, column["name"])}
        if node["resource_type"] == "test" and (model := nodes.get(node.get("attached_node"))):
            metadata = node["test_metadata"]
            asked = {name: value for name, value in metadata["kwargs"].items() if name != "model"}
            words = set(re.findall(r"\w+", str(asked)))
            columns = [column for column in model["columns"] if column in words]
            condition = asked.get("condition") or ", ".join(columns)
            name = f"{model['alias']}: {metadata['name']} ({condition})"
            seen = model["columns"] if metadata["name"] in KEY_TESTS else columns
            found[name] = {_published(model, column) for column in seen}
    return found


def _published(node: dict, column: str) -> str:
    return f"{name_of(node).removeprefix('build_')}.{column}"
