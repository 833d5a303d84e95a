"""dbt inside this process: the project is parsed once, each layer built by one call, its outcome as objects."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from lakehouse.errors import Stop, stop_of
from lakehouse.lake import running
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse.engines import duckdb, postgres, spark

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest
    from dbt_common.events.event_manager import IEventManager

DBT_PROJECT = PROJECT / "dbt_project"
PROFILES = PROJECT / "dbt_project"
SOURCES = {".sql", ".yml", ".csv"}
PARSED_FROM = "parsed_from"  # file beside the manifest: what was parsed, see `_source`
CHECKED_AT_END = "test_type:generic,path:models,config.severity:ERROR"  # by macros/checks.sql, not by nodes
_CHECKS = '{"checks"'  # begins the line that it logs
FAILED = {"error", "fail", "runtime error", "partial success"}


class DbtFailed(Stop):
    """dbt did not build what was asked; the message names every failing node and why."""

    is_of_a_database = True


class ManifestFile(TypedDict):
    """What is read of dbt's ``manifest.json`` (https://schemas.getdbt.com): by unique id."""

    nodes: dict[str, Any]
    sources: dict[str, Any]
    metrics: dict[str, Any]
    semantic_models: dict[str, Any]


@dataclass(frozen=True)
class Node:
    """What became of one model, seed or test."""

    name: str
    status: str
    seconds: float
    message: str


def target_path(settings: Settings) -> Path:
    """Where dbt keeps manifest, results and logs of this deployment: beside the build file, not in the sources."""
    return settings.build.with_name(f"{settings.build.stem}.dbt") / settings.target


def run_dbt(
    settings: Settings,
    selection: str,
    variables: Mapping[str, Any],
    progress: Callable[[str], None] | None = None,
    without: str = "",
) -> tuple[Node, ...]:
    """``dbt build`` of ``selection``, its data tests included: those of models at the end, each model's in one query.

    Left to ``make test`` are unit tests, which judge the code, and tests that read a table's whole history (tag
    ``whole_history``): what a table of the day is fed by cannot be doubled without doubling a key that the day tests.

    Parameters
    ----------
    selection : str
        As for ``dbt --select``, for instance ``tag:marts``.
    variables : mapping
        dbt's ``--vars``; dates become ISO text.
    progress : callable, optional
        Gets one line of text per finished node.
    without : str
        What of the selection to leave out, as for ``dbt --exclude``.

    Returns
    -------
    tuple of Node
        In the order of their end; those with status ``warn`` are tests that warn.

    Raises
    ------
    DbtFailed
        If a node failed, dbt itself did, or a part of the selection matches nothing.
    Stop
        If the machine or the network let it down: what to do about it.
    """
    checked: list[Node] = []
    count = running.counter("tables and their tests")

    def report(event: Any) -> None:
        if event.info.name == "JinjaLogInfo" and event.info.msg.startswith(_CHECKS):
            checked.extend(_checked(name, failures) for name, failures in json.loads(event.info.msg)["checks"])
        if event.info.name == "LogStartLine":
            count(event.data.index, event.data.total)
        if progress and event.info.name in ("LogModelResult", "LogSeedResult", "LogTestResult"):
            progress(event.info.msg)

    with _connection(settings):
        manifest = _parsed(settings, variables)
        arguments = _arguments_of_build(selection, f"tag:whole_history {_checked_at_end(manifest)} {without}".strip())
        asked = {**variables, "checks_at_end": "resource_type:test" not in without}
        with _engine_held(settings):
            outcome = _invoke(settings, arguments, asked, manifest, [report])
    nodes = (*_nodes(outcome), *checked)
    if failed := [node for node in nodes if node.status in FAILED]:
        raise _failure("\n".join(f"{node.name}: {node.status}: {node.message}" for node in failed))
    if not outcome.success:
        raise _failure(str(outcome.exception or "dbt stopped, and names no node that failed")) from outcome.exception
    if not nodes:
        raise DbtFailed(f"nothing in the dbt project matches {selection!r}")
    return nodes


def _failure(told: str) -> Stop:
    """What dbt told, or what to do if the machine let it down: dbt puts the reason among the names of its nodes."""
    failed = DbtFailed(told)
    return stop_of(failed) or failed


def _arguments_of_build(selection: str, without: str) -> list[str]:
    arguments = ["build", "--select", selection, "--indirect-selection", "cautious", "--exclude", without]
    arguments += ["--exclude-resource-type", "unit_test"]
    arguments += ["--no-write-json"]  # the manifest was written when the project was parsed
    return [*arguments, "--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}']


def _nodes(outcome: dbtRunnerResult) -> list[Node]:
    """What became of the nodes, in the order of their end; what asks the tests at the end is none."""
    results = [one for one in getattr(outcome.result, "results", ()) if one.node.resource_type != "operation"]
    return [Node(one.node.name, str(one.status), one.execution_time, one.message or "") for one in results]


def _checked_at_end(manifest: Manifest) -> str:
    """The tests that are no nodes of a run, for dbt to leave out: in a project that asks them when it ends."""
    return CHECKED_AT_END if any(key.startswith("operation.") for key in manifest.nodes) else ""


def _checked(name: str, failures: int) -> Node:
    """A test of those at the end, in dbt's words."""
    if failures:
        return Node(name, "fail", 0.0, f"Got {failures} results, configured to fail if != 0")
    return Node(name, "pass", 0.0, "")


def parse(settings: Settings, variables: Mapping[str, Any]) -> None:
    """Parse the project for this deployment, unless that has been done since it changed; ``run_dbt`` does so, too.

    Of the variables only the names and types matter.

    Raises
    ------
    DbtFailed
        If dbt cannot read the project.
    """
    with _connection(settings):
        _ensure_parsed(settings, variables)


def compile_models(settings: Settings, variables: Mapping[str, Any]) -> None:
    """Write the SQL by which every model is built from nothing; none is built.

    What was built since the project was parsed has it already, but for the incremental ones: on top of what stands they
    read less.

    Raises
    ------
    DbtFailed
        If a model cannot be compiled.
    """
    with _connection(settings):
        parsed = _ensure_parsed(settings, variables).stat().st_mtime
        nodes = read_manifest(settings)["nodes"]
        paths = _compiled_paths(settings, nodes)
        outdated = [
            nodes[key]["name"]
            for key, path in paths.items()
            if nodes[key]["config"]["materialized"] == "incremental"
            or not path.exists()
            or path.stat().st_mtime < parsed
        ]
        # dbt holds every node against every name that it is given: to name all takes seconds
        selection = " ".join(outdated) if len(outdated) < len(paths) else "resource_type:model"
        arguments = ["compile", "--select", selection, "--full-refresh", "--no-write-json"]
        manifest = _parsed(settings, variables)
        with _engine_held(settings):
            outcome = _invoke(settings, arguments, variables, manifest)
    if not outcome.success:
        raise _failure(str(outcome.exception or "dbt cannot compile a model")) from outcome.exception


def write_docs(settings: Settings, variables: Mapping[str, Any], folder: Path) -> None:
    """Write dbt's page of the models, and what it shows, into a folder of its own.

    No database is asked: the catalog is empty.

    Raises
    ------
    DbtFailed
        If dbt cannot write it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _connection(settings):
        manifest = _parsed(settings, variables)
        shutil.copyfile(target_path(settings) / "manifest.json", folder / "manifest.json")
        arguments = ["docs", "generate", "--static", "--no-compile", "--empty-catalog"]
        outcome = _invoke(settings, arguments, variables, manifest, folder=folder)
    if not outcome.success:
        raise _failure(str(outcome.exception or "dbt cannot describe the models")) from outcome.exception


def project_version() -> str:
    """A hash of the dbt project's files and of dbt's version: what was parsed or built by another is out of date."""
    digest = hashlib.sha256(version("dbt-core").encode())
    for path in sorted(path for path in DBT_PROJECT.rglob("*") if path.suffix in SOURCES):
        digest.update(bytes(path.relative_to(DBT_PROJECT)) + path.read_bytes())
    return digest.hexdigest()


def parsed_version(settings: Settings) -> str:
    """The version of the project that dbt last parsed here; empty if it never did."""
    path = target_path(settings) / PARSED_FROM
    return path.read_text().rpartition(" ")[2] if path.exists() else ""


def read_manifest(settings: Settings) -> ManifestFile:
    """What dbt made of the project's files when it last parsed them here.

    Raises
    ------
    Stop
        If nothing has been built here yet.
    """
    path = target_path(settings) / "manifest.json"
    if not path.exists():
        raise Stop(f"nothing is built yet beside {settings.build}", "run a business date first (`c360 run`)")
    return json.loads(path.read_text())


def compiled_sql(settings: Settings, manifest: ManifestFile) -> dict[str, str]:
    """The SQL of every model of a manifest that dbt has compiled here, as it last did, by its unique id."""
    paths = _compiled_paths(settings, manifest["nodes"])
    return {key: path.read_text() for key, path in paths.items() if path.exists()}


def _compiled_paths(settings: Settings, nodes: Mapping[str, Any]) -> dict[str, Path]:
    """Where dbt writes the SQL of each model."""
    folder = target_path(settings) / "compiled"
    return {
        key: folder / node["package_name"] / node["original_file_path"]
        for key, node in nodes.items()
        if node["resource_type"] == "model"
    }


def semantic_manifest(settings: Settings, variables: Mapping[str, Any]) -> str:
    """The semantic models and metrics of the project as it stands, as dbt's JSON."""
    with _connection(settings):
        _ensure_parsed(settings, variables)
    return (target_path(settings) / "semantic_manifest.json").read_text()


def _parsed(settings: Settings, variables: Mapping[str, Any]) -> Manifest:
    """The project, parsed once as it stands: dbt reads variables again whenever it compiles a model."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    return Manifest.from_msgpack(_ensure_parsed(settings, variables).read_bytes(), decoder=extended_mashumuro_decoder)


def _ensure_parsed(settings: Settings, variables: Mapping[str, Any]) -> Path:
    """The file of the parsed project; nothing of dbt is loaded if it is there already."""
    parsed = target_path(settings) / "partial_parse.msgpack"
    parsed_from = parsed.with_name(PARSED_FROM)
    source = _source(settings)
    if not (parsed.exists() and parsed_from.exists() and parsed_from.read_text() == source):
        running.part("the models are read")
        parsed_from.unlink(missing_ok=True)
        outcome = _invoke(settings, ["parse", "--no-partial-parse"], variables)
        if not outcome.success:
            raise _failure(str(outcome.exception)) from outcome.exception
        parsed_from.write_text(source)
    return parsed


def _source(settings: Settings) -> str:
    """What is parsed: folder and version of the project, and the database, whose name dbt writes into every relation's.

    On DuckDB it is named after the build file, as the folder of what is parsed is.
    """
    database = f"{postgres.environment(settings).get('C360_PG_DATABASE')} " if settings.target == "postgres" else ""
    return f"{DBT_PROJECT} {database}{project_version()}"


def _invoke(
    settings: Settings,
    arguments: list[str],
    variables: Mapping[str, Any],
    manifest: Manifest | None = None,
    callbacks: list[Callable[[Any], None]] | None = None,
    folder: Path | None = None,  # what dbt writes goes there; by default beside the build file
) -> dbtRunnerResult:
    from dbt.adapters.duckdb import DuckDBConnectionManager
    from dbt.adapters.factory import reset_adapters
    from dbt.cli.main import dbtRunner
    from dbt_common.events.event_manager_client import ctx_set_event_manager, get_event_manager

    from lakehouse.warehouse.dbt_events import HeardEvents  # it loads dbt, too

    target = folder or target_path(settings)
    arguments = [*arguments, "--vars", json.dumps(dict(variables), default=str), "--target", settings.target]
    arguments += ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(PROFILES)]
    arguments += ["--target-path", str(target), "--log-path", str(target / "logs")]
    arguments += ["--log-level", "none", "--log-level-file", "none"]
    events = get_event_manager()
    ctx_set_event_manager(cast("IEventManager", HeardEvents()))
    try:
        outcome = dbtRunner(manifest, callbacks).invoke(arguments)
    finally:
        ctx_set_event_manager(events)
        reset_adapters()
        DuckDBConnectionManager.close_all_connections()  # else dbt keeps the build file open until the process ends
    if isinstance(outcome.exception, KeyboardInterrupt):  # dbt takes it for an error of its own
        raise outcome.exception
    return outcome


def _engine_held(settings: Settings) -> AbstractContextManager[None]:
    """While dbt builds: a file has one writer, databases keep readers and writers apart themselves."""
    return duckdb.held(settings) if settings.target == "duckdb" else nullcontext()


@contextmanager
def _connection(settings: Settings) -> Generator[None]:
    """The environment that ``profiles.yml`` reads, for as long as dbt runs."""
    given = {
        "C360_TARGET": settings.target,
        "C360_BUILD": str(settings.build),
        "C360_MEMORY_LIMIT": settings.memory_limit,
    }
    if settings.target == "postgres":
        given |= postgres.environment(settings)
    if settings.target == "spark":
        spark.session(settings)  # dbt takes the one that the process has
    before = dict(os.environ)
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
