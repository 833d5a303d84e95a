"""The build engine and the serving store: attach the lake, run dbt, publish."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyConnection

from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.lake import Pin
from lakehouse.lake.copies import note_copy
from lakehouse.lake.figures import Cause, write_figures
from lakehouse.lake.integrity import require_intact
from lakehouse.lake.publishes import PublishRecord, write_publish
from lakehouse.lake.secret import fingerprint
from lakehouse.settings import Settings
from lakehouse.warehouse import dbt, exporting, publication, publishing
from lakehouse.warehouse.changes import BuildState
from lakehouse.warehouse.comments import comments_of
from lakehouse.warehouse.dbt import DbtFailed, Node, project_version
from lakehouse.warehouse.engines import LOCK_SECONDS, Engine, EngineLocked
from lakehouse.warehouse.engines import duckdb as duckdb_engine
from lakehouse.warehouse.engines import postgres as postgres_engine
from lakehouse.warehouse.engines import spark as spark_engine
from lakehouse.warehouse.exporting import Exported
from lakehouse.warehouse.levels import Levels, read_levels
from lakehouse.warehouse.live import LiveTable
from lakehouse.warehouse.publication import CannotPublish
from lakehouse.warehouse.relations import lake_tables, small_tables
from lakehouse.warehouse.rights import Found, Rights
from lakehouse.warehouse.stores import Shown, Store
from lakehouse.warehouse.stores import duckdb as duckdb_store
from lakehouse.warehouse.stores import postgres as postgres_store
from lakehouse.warehouse.stores.duckdb import open_store

__all__ = [
    "BuildState",
    "CannotPublish",
    "DbtFailed",
    "EngineLocked",
    "Found",
    "Levels",
    "Node",
    "Rights",
    "apply_rights",
    "attach",
    "begin_build",
    "built_state",
    "content_hash",
    "drop_build",
    "engine_of",
    "exclusive",
    "export_parquet",
    "export_snapshot",
    "last_published",
    "look_at_rights",
    "open_store",
    "project_version",
    "publish",
    "published_date",
    "published_rows",
    "published_snapshot",
    "query",
    "query_serving",
    "read_levels",
    "read_state",
    "reading",
    "record_figures",
    "record_publish",
    "relocate",
    "remove_retired",
    "run_dbt",
    "show_live",
    "shown",
    "write_state",
]

ENGINES: dict[str, Engine] = {"duckdb": duckdb_engine, "postgres": postgres_engine, "spark": spark_engine}
STORES: dict[str, Store] = {"duckdb": duckdb_store, "postgres": postgres_store}


def attach(settings: Settings, pin: Pin, xref: Path | None, lineage_folder: Path | None = None) -> None:
    """Give the build engine exactly the deliveries of ``pin``, for every contract, typed even where nothing came.

    Parameters
    ----------
    xref : Path, optional
        The identity file; None: nobody is linked yet.
    lineage_folder : Path, optional
        Where published columns come from (`lakehouse.warehouse.origins`); None: that of the project is not read yet.

    Raises
    ------
    lakehouse.lake.integrity.Tampered
        If a file of the pin was changed or lost since ingestion wrote it.
    """
    require_intact(settings, pin)
    files = lake_tables(settings.lake, pin, xref, lineage_folder)
    engine_of(settings).attach(settings, files, small_tables(settings.lake, pin))


def run_dbt(
    settings: Settings,
    selection: str,
    variables: Mapping[str, Any],
    progress: Callable[[str], None] | None = None,
    without: str = "",
) -> tuple[Node, ...]:
    """Build what ``selection`` names, its data tests included; see ``lakehouse.warehouse.dbt.run_dbt``."""
    if variables.get("from_date"):
        touched = [variables["from_date"], *variables.get("as_of_dates", ())]
        engine_of(settings).mark_unpublished(settings, min(date.fromisoformat(str(day)) for day in touched))
    nodes = dbt.run_dbt(settings, selection, variables, progress, without)
    engine_of(settings).hand_over(settings)
    return nodes


def exclusive(settings: Settings, wait: float = LOCK_SECONDS) -> AbstractContextManager[None]:
    """Hold the build engine from reading its state to writing it: of two runs at once, the second waits.

    What a killed run left at work in the engine is ended first.

    Raises
    ------
    EngineLocked
        If another run holds it for ``wait`` seconds; the message names it.
    """
    return engine_of(settings).exclusive(settings, wait)


def read_state(settings: Settings, wait: float = LOCK_SECONDS) -> BuildState | None:
    """What the build engine was last built from; None: it is empty, and a full build follows."""
    return engine_of(settings).read_state(settings, wait)


def built_state(settings: Settings) -> BuildState:
    """What the build engine was last built from, where a step needs one.

    Raises
    ------
    Stop
        If the engine is empty.
    """
    state = read_state(settings)
    if state is None:
        raise Stop("nothing is built yet: run the pipeline first (`c360 run`)")
    return state


def begin_build(settings: Settings) -> None:
    """From here to ``write_state`` the marts may stand between two days: only ``ops`` can be published."""
    engine_of(settings).begin_build(settings)


def write_state(settings: Settings, state: BuildState) -> None:
    """Remember what the build engine holds now, after every model has been built."""
    engine_of(settings).write_state(settings, state)


def query(settings: Settings, statement: str, parameters: Sequence[object] = ()) -> pa.Table:
    """Rows of the build engine; parameters are written ``$1``, ``$2``, …"""
    return engine_of(settings).query(settings, statement, parameters)


def reading(settings: Settings) -> AbstractContextManager[None]:
    """The queries of the block share one opened engine, which others cannot write to meanwhile: keep the block short.

    To open DuckDB's file takes longer than most queries.
    """
    return engine_of(settings).reading(settings)


def query_serving(settings: Settings, statement: str, parameters: Sequence[object] = ()) -> pa.Table:
    """Rows of the serving store, as readers see them; parameters are written ``$1``, ``$2``, …"""
    return store_of(settings).query_serving(settings, statement, parameters)


def publish(
    settings: Settings,
    business_date: date,
    run_id: str,
    schemas: Sequence[str] | None = None,
    rights: Rights | None = None,
    levels: Levels | None = None,
) -> int:
    """Show readers what dbt built: changed partitions are replaced, and all of it appears at one moment.

    Parameters
    ----------
    schemas : sequence of str, optional
        Published schemas to replace; the others stay as they are. By default all, and then every model must be built.
    rights : Rights, optional
        Who may read what of it, on a store with roles.
    levels : Levels, optional
        The security level of every column, as `read_levels` has them; none is checked without.

    Returns
    -------
    int
        The publish id, which every table in ``ops.publications`` now has.

    Raises
    ------
    CannotPublish
        If a build was cut short, or a model was never built, shows personal data or derives from it, has a column of a
        level above what its schema or a role may show, or is a view over what readers do not have.
    """
    from lakehouse.warehouse import lineage  # it brings sqlglot along, and most steps and commands publish nothing

    chosen = tuple(schemas or publication.SCHEMAS)
    lineage.check_lineage(settings, chosen)
    described = publication.read_models(dbt.target_path(settings) / "manifest.json")
    comments = comments_of(described, load_deployment(settings.deployment).currency, levels)
    models = [model for model in described if model.schema in chosen]
    new = publication.Publication(business_date, None, "", run_id, datetime.now(UTC).replace(tzinfo=None))
    return publishing.publish(store_of(settings), settings, models, chosen, new, comments, rights, levels)


def apply_rights(settings: Settings, rights: Rights) -> list[Found]:
    """Give the roles of the store what they may read, and only that; returns what only an administrator can mend.

    Raises
    ------
    Stop
        If the store is a file: it has no roles.
    """
    _require_roles(settings)
    return postgres_store.apply_rights(settings, rights)


def look_at_rights(settings: Settings, rights: Rights) -> list[Found]:
    """Every right as it should be and as it is; raises `Stop` if the store is a file."""
    _require_roles(settings)
    return postgres_store.look_at_rights(settings, rights)


def _require_roles(settings: Settings) -> None:
    if settings.target != "postgres":
        raise Stop("the store is a file, which has no roles: who may open it sees all of it", "give it to few")


def record_publish(settings: Settings, publish_id: int, run_id: str, pin: Pin, project: str) -> None:
    """Keep in the lake what the publish that readers have now was made from, so that it can be made again."""
    seen = store_of(settings).published(settings).publications
    write_publish(
        settings.lake,
        PublishRecord(
            publish_id=publish_id,
            business_date=pin.business_date,
            run_id=run_id,
            target=settings.target,
            project=project,
            token_fingerprint=fingerprint(settings.token_secret),
            deliveries=tuple(sorted(item.outcome.delivery_id for item in pin.deliveries)),
            refused={outcome.delivery_id: outcome.outcome for outcome in pin.rejected},
            tables={name: publication.content_hash for name, publication in sorted(seen.items())},
        ),
    )


def record_figures(settings: Settings, publish_id: int, business_date: date, causes: Iterable[Cause]) -> None:
    """Keep in the lake what the publish that readers have now shows of the main figures: later ones may restate it."""
    rows = query_serving(settings, "select table_name, measure, figure_date, figure_value from marts.daily_figures")
    shown = {(row["table_name"], row["measure"], row["figure_date"]): row["figure_value"] for row in rows.to_pylist()}
    write_figures(settings.lake, publish_id, business_date, shown, causes)


def show_live(
    settings: Settings, con: DuckDBPyConnection, cycle: int, tables: Sequence[LiveTable], afresh: bool = False
) -> None:
    """Give readers some of the live tables as the connection of the intraday loop has them.

    Parameters
    ----------
    con : DuckDBPyConnection
        Has a table of the name of each; the large ones with the column ``changed``: the cycle that changed the row.
    cycle : int
        Number of the cycle, growing.
    afresh : bool
        Any row may have changed or gone; otherwise none has gone.
    """
    store_of(settings).show_live(settings, con, cycle, tables, afresh)


def published_snapshot(settings: Settings) -> publication.Snapshot:
    """What readers have now, by table; of a store without a publish, nothing under number 0."""
    return store_of(settings).published(settings)


def published_date(settings: Settings) -> date | None:
    """The business date of the marts that readers see, None if there are none; that of ``ops`` may be later."""
    publications = store_of(settings).published(settings).publications.items()
    return max((row.business_date for name, row in publications if not name.startswith("ops.")), default=None)


def published_rows(settings: Settings) -> int:
    """Rows of all tables that readers see; a view has none of its own."""
    return sum(row.row_count or 0 for row in store_of(settings).published(settings).publications.values())


def last_published(settings: Settings) -> date:
    """The business date of the marts that readers see, where a report needs one.

    Raises
    ------
    Stop
        If nothing is published.
    """
    day = published_date(settings)
    if day is None:
        raise Stop("nothing is published yet: run the pipeline first (`c360 run`)")
    return day


def shown(settings: Settings) -> AbstractContextManager[Shown]:
    """All that one publish shows, for as long as the block lasts; raises `Stop` if nothing is published."""
    return store_of(settings).shown(settings)


def export_snapshot(settings: Settings, path: Path, force: bool, progress: Callable[[str], None]) -> Exported:
    """The store as one DuckDB file that stands alone; see `lakehouse.warehouse.exporting`. The lake notes where."""
    done = exporting.export_snapshot(store_of(settings), settings, path, force, progress)
    note_copy(settings.lake, "exports", path)
    return done


def export_parquet(settings: Settings, folder: Path, force: bool, progress: Callable[[str], None]) -> Exported:
    """The store as Parquet files with a manifest; see `lakehouse.warehouse.exporting`. The lake notes where."""
    done = exporting.export_parquet(store_of(settings), settings, folder, force, progress)
    note_copy(settings.lake, "exports", folder)
    return done


def remove_retired(settings: Settings) -> int:
    """Leave no byte of earlier publishes in the store; returns how many files were removed, or tables written anew.

    Raises
    ------
    Stop
        If something cannot be overwritten: a table is being read, or the role does not own the database of Postgres.
    """
    return store_of(settings).remove_retired(settings)


def relocate(settings: Settings) -> int:
    """Let a store in one file that was moved or copied read the files beside it; returns how many it shows.

    Raises
    ------
    Stop
        If a file that it shows is missing, or the store is a server, which has no place of its own.
    """
    if settings.target != "duckdb":
        raise Stop(f"the store of target {settings.target} is a server: it has no file that could move")
    return duckdb_store.relocate(settings)


def content_hash(settings: Settings, table: str) -> str:
    """Hash over all rows of a published table, without the columns that say when and by which run; order is no matter.

    Comparable within one kind of store.
    """
    return store_of(settings).content_hash(settings, table)


def drop_build(settings: Settings) -> None:
    """Forget the build engine's content, for a full rebuild from the lake; what readers see stays."""
    engine_of(settings).drop_build(settings)


def engine_of(settings: Settings) -> Engine:
    """The build engine of the settings' target."""
    return ENGINES[settings.target]


def store_of(settings: Settings) -> Store:
    """The serving store of the settings' target.

    Raises
    ------
    Stop
        If the target is Spark, of which nothing is published yet.
    """
    if settings.target not in STORES:
        raise Stop(f"what {settings.target} builds is not published yet", "set C360_TARGET to duckdb or postgres")
    return STORES[settings.target]
