"""Build engines, in which dbt builds; each is a module with the functions of `Engine`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import date
from typing import Protocol

import pyarrow as pa

from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.warehouse.changes import BuildState
from lakehouse.warehouse.relations import LakeTable, SmallTable

LOCK_SECONDS = 300.0


class EngineLocked(Stop):
    """Another process holds the build engine; the message says which."""


class Engine(Protocol):
    """What `lakehouse.warehouse` asks of a build engine; its functions say what each is for."""

    def attach(self, settings: Settings, lake_tables: list[LakeTable], small_tables: list[SmallTable]) -> None:
        """Make the engine hold the rows of these tables, and of no other file of the lake: all or nothing."""

    def exclusive(self, settings: Settings, wait: float) -> AbstractContextManager[None]:
        """Hold the engine; raises `EngineLocked` after ``wait`` seconds."""

    def read_state(self, settings: Settings, wait: float) -> BuildState | None:
        """What the engine was last built from; None: it is empty. Raises `EngineLocked` after ``wait`` seconds."""

    def begin_build(self, settings: Settings) -> None:
        """Note that the marts may stand between two days from now on."""

    def write_state(self, settings: Settings, built: BuildState) -> None:
        """Note what the engine was built from, and that the build has ended."""

    def mark_unpublished(self, settings: Settings, since: date) -> None:
        """Note that dates from ``since`` on may differ from what was published last."""

    def query(self, settings: Settings, statement: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Rows of the engine; parameters are written ``$1``, ``$2``, …"""

    def reading(self, settings: Settings) -> AbstractContextManager[None]:
        """Let the queries of the block share what a query opens; nothing is written to the engine meanwhile."""

    def hand_over(self, settings: Settings) -> None:
        """Let queries and the store read what dbt has built, where it builds in another place."""

    def drop_build(self, settings: Settings) -> None:
        """Forget all that was built."""
