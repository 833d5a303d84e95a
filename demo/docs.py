"""The documentation of the models, by dbt, as one HTML file."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from lakehouse.errors import Stop
from lakehouse.lake import appearing
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse.dbt import target_path

SHOWN = ("model", "seed", "source")


class DocsFailed(Stop):
    """dbt could not write its documentation."""


def write_dbt_docs(settings: Settings, business_date: date) -> Path:
    """Write every model and column with its description, tests and lineage, from the manifest of the last run.

    Raises
    ------
    DocsFailed
        If dbt fails; the message is the end of its output.
    """
    folder = target_path(settings)
    variables = {"business_date": str(business_date), "from_date": str(business_date)}
    command = [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "docs", "generate", "--static"]
    command += ["--no-compile", "--empty-catalog", "--vars", json.dumps(variables), "--target", settings.target]
    command += ["--project-dir", str(PROJECT / "dbt_project"), "--profiles-dir", str(PROJECT / "dbt_project")]
    command += ["--target-path", str(folder), "--log-path", str(folder)]
    environment = os.environ | {
        "C360_TARGET": settings.target,
        "C360_BUILD": str(settings.build),
        "C360_MEMORY_LIMIT": settings.memory_limit,
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DocsFailed(f"dbt docs: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return _with_types(folder)


def _with_types(folder: Path) -> Path:
    """The documentation with the types of columns: the models' own, so that dbt need not ask the database for them."""
    manifest, catalog = (json.loads((folder / f"{name}.json").read_text()) for name in ("manifest", "catalog"))
    for kind in ("nodes", "sources"):
        catalog[kind] = {
            name: _catalogued(node) for name, node in manifest[kind].items() if node["resource_type"] in SHOWN
        }
    page = (folder / "index.html").read_text(encoding="utf-8")
    for name, content in (("MANIFEST", manifest), ("CATALOG", catalog)):
        page = page.replace(f'"{name}.JSON INLINE DATA"', json.dumps(content))
    with appearing(folder / "static_index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return folder / "static_index.html"


def _catalogued(node: Mapping[str, Any]) -> dict[str, object]:
    """A model, seed or source as dbt's catalog has it."""
    columns = {
        name: {"name": name, "type": column.get("data_type") or "", "index": place, "comment": None}
        for place, (name, column) in enumerate(node["columns"].items(), start=1)
    }
    about = {
        "type": node.get("config", {}).get("materialized", "table"),
        "schema": node["schema"],
        "name": node["name"],
    }
    no_stats = {"id": "has_stats", "label": "Has Stats?", "value": False, "include": False, "description": ""}
    return {
        "unique_id": node["unique_id"],
        "metadata": about | {"database": node["database"], "comment": None, "owner": None},
        "columns": columns,
        "stats": {"has_stats": no_stats},
    }
