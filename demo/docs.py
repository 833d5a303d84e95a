"""The documentation of the models, by dbt, as one HTML file."""

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse.dbt import target_path


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
    return folder / "static_index.html"
