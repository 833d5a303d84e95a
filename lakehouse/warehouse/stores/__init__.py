"""Serving stores, which readers query; each is a module with the functions of `Store`."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import pyarrow as pa
from duckdb import DuckDBPyConnection

from lakehouse.settings import Settings
from lakehouse.warehouse.canaries import Texts
from lakehouse.warehouse.comments import Comments
from lakehouse.warehouse.live import LiveTable
from lakehouse.warehouse.publication import Columns, Hasher, Model, Partition, Snapshot
from lakehouse.warehouse.rights import Rights


class Publishing(Protocol):
    """One publish at work: it reads the build engine and prepares what readers see from `show` on.

    Names of tables and views are published ones, ``marts.…``, unless they begin with ``build_``.
    """

    last: Snapshot  # what readers see until then
    is_building: bool  # a build has begun and not ended
    unpublished_from: date | None  # before it, incremental tables are as last published; None: all may have changed

    def columns(self, name: str) -> Columns:
        """The columns of a table or view; raises `CannotPublish` if there is none of the name."""

    def texts(self, model: Model) -> Texts:
        """Reads texts of a built table; of an incremental one, those of the dates that have not been published yet."""

    def hasher(self, model: Model, columns: Columns) -> Hasher:
        """Counts and hashes the rows of a built table by month."""

    def definition(self, model: Model) -> str:
        """The SQL of a built view, as the engine keeps it."""

    def drop(self, name: str) -> None:
        """Take a table or view from readers."""

    def replace_table(
        self,
        model: Model,
        columns: Columns,
        before: dict[str, Partition],
        after: dict[str, Partition],
        views: Sequence[str],
    ) -> None:
        """Give readers the partitions ``after`` in place of ``before``; views over the table are replaced after it."""

    def replace_view(self, model: Model, columns: Columns, definition: str) -> None:
        """Give readers a view with the given SQL over published tables."""

    def show(self, now: Snapshot, comments: Comments, has_live: bool, is_whole: bool) -> None:
        """Write what is published to ``ops``, and make the views of the intraday loop if it has what they need.

        Every table and column has its comment then.

        Files are kept for the readers of the last whole publishes; one of ``ops`` alone, after a failure, is none.
        """

    def guard(self, rights: Rights, is_whole: bool) -> None:
        """Give each role what it may read, and only that; raises `CannotPublish` if that does not hold afterwards.

        A store that is a file has no roles: who may open it sees all of it.
        """

    def note_published(self, publish_id: int, is_whole: bool) -> None:
        """Note the publish in the build engine; after a whole one, nothing in it is unpublished."""


@dataclass(frozen=True)
class Shown:
    """What readers see at one moment, for as long as the block of `Store.shown` lasts."""

    publish_id: int
    business_date: date
    comments: Sequence[tuple[str, str | None, str | None]]  # published name, column or None for the table, comment
    rows: Callable[[str], pa.RecordBatchReader | pa.Table]  # all rows of a table or view
    query: Callable[[str, Sequence[object]], pa.Table]  # parameters are $1, $2, …; on DuckDB threads may ask at once


class Store(Protocol):
    """What `lakehouse.warehouse` asks of a serving store."""

    def query_serving(self, settings: Settings, statement: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Rows as readers see them; parameters are written ``$1``, ``$2``, …"""

    def content_hash(self, settings: Settings, table: str) -> str:
        """Hash over the content of a published table."""

    def published(self, settings: Settings) -> Snapshot:
        """What readers see now."""

    def shown(self, settings: Settings) -> AbstractContextManager[Shown]:
        """All that one publish shows; raises `Stop` if nothing is published."""

    def publishing(self, settings: Settings) -> AbstractContextManager[Publishing]:
        """Begin a publish; if the block ends without an error, readers see all of it, otherwise nothing of it."""

    def remove_retired(self, settings: Settings) -> int:
        """Leave no byte of earlier publishes; returns how many files were removed, or tables written anew.

        Readers read on what is open. Raises `Stop` where something cannot be overwritten.
        """

    def show_live(
        self, settings: Settings, con: DuckDBPyConnection, cycle: int, tables: Sequence[LiveTable], afresh: bool
    ) -> None:
        """Give readers live tables as the connection of the intraday loop has them."""
