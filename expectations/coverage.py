"""Which checks of the gates look at a column: read from the suites and from what their frames are made of."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from expectations import SUITES, marts_profile
from expectations.overview import columns_of, subject
from lakehouse.contracts import load_feeds
from lakehouse.warehouse import derivation
from lakehouse.warehouse.dbt import ManifestFile
from lakehouse.warehouse.derivation import Reading, Relations
from lakehouse.yaml_files import read_yaml

OF_FEEDS, OF_OPTIONAL_COLUMNS = ("raw_feeds", "raw_deliveries"), ("raw_columns",)  # what a row of a frame is about


@dataclass(frozen=True)
class Check:
    """What one or more expectations of a suite hold against limits, and the columns that this figure is made of."""

    suite: str
    subject: str
    columns: frozenset[str]  # ``marts.customer_360.aum_amount``; of a number of rows, all columns of their tables

    @property
    def name(self) -> str:
        return f"{self.suite}: {self.subject}"


def raw_checks(roots: Iterable[str]) -> list[str]:
    """The checks of the gate landing -> raw that see columns of feeds, ``balances.balance``; other roots have none."""
    suites: set[str] = set()
    for root in roots:
        feed, _, column = root.partition(".")
        if contract := load_feeds().get(feed):
            suites |= set(OF_FEEDS)
            optional = {each.name for each in contract.columns if not each.is_required}
            suites |= set(OF_OPTIONAL_COLUMNS) if column in optional else set()
    return [f"{suite}: {about}" for suite in sorted(suites) for about in sorted({text for text, _ in _expected(suite)})]


def mart_checks(manifest: ManifestFile, dialect: str) -> list[Check]:
    """The checks of the gate marts -> readers.

    Parameters
    ----------
    manifest : dict
        dbt's.
    dialect : str
        Of the queries: "duckdb" or "postgres".
    """
    relations = Relations.of(manifest)
    shown = {name: relations.as_such(name) for name in relations.columns}
    queries = marts_profile.queries(relations.columns["build_marts.customer_360"])
    found = []
    for suite, statements in queries.items():
        made_of: dict[str, frozenset[str]] = {}
        for sql in statements:
            made_of |= derivation.followed(suite, sql, dict(relations.columns), shown, dialect, Reading())
        tables = {table for sql in statements for table in derivation.tables_of(sql, dialect)}
        whole = frozenset().union(*(columns for table in tables for columns in shown[table].values()))
        found += [
            Check(suite, about, frozenset().union(*(made_of.get(column) or whole for column in columns)))
            for about, columns in dict(_expected(suite)).items()
        ]
    return found


def _expected(suite: str) -> Iterator[tuple[str, list[str]]]:
    """What each expectation of a suite is about, in words and as columns of its frame."""
    expectations: list[Mapping] = read_yaml(SUITES / f"{suite}.yml")["expectations"]
    for expectation in expectations:
        yield subject(expectation["kwargs"]), columns_of(expectation["kwargs"])
