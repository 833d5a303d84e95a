"""The documentation of the models, by dbt, as one HTML file: ``python -m demo.docs 2026-01-01`` writes it."""

import json
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from demo.beside import beside
from lakehouse.errors import Stop
from lakehouse.lake import appearing
from lakehouse.settings import Settings
from lakehouse.warehouse.dbt import write_docs

SHOWN = ("model", "seed", "source")
# dbt's page would ask for a picture by the name of its own placeholder, once per line of its menu, and for its favicon.
PLACEHOLDERS = {
    ' xlink:href="{{ getIcon(': ' ng-attr-xlink:href="{{ getIcon(',
    "${require('./assets/favicons/favicon.ico')}": "data:,",
}


class DocsFailed(Stop):
    """dbt could not write its documentation."""


@contextmanager
def writing_dbt_docs(settings: Settings, business_date: date) -> Generator[Callable[[], Path]]:
    """Describe every model and column with its tests and lineage, by a process of its own beside the block.

    Yields
    ------
    callable
        Waits for the page and returns its path.

    Raises
    ------
    DocsFailed
        By the callable, if dbt fails; the message is the end of its output.
    """
    page = docs_page(settings)
    page.parent.mkdir(parents=True, exist_ok=True)
    log = page.with_name("docs.log")
    with log.open("wb") as output, beside("demo.docs", settings, business_date, output) as process:

        def finished() -> Path:
            if process.wait():
                raise DocsFailed(f"dbt docs: {log.read_text(errors='replace')[-2000:]}")
            return filled_in(page)

        yield finished


def docs_page(settings: Settings) -> Path:
    """Where the documentation of a deployment's models is."""
    return settings.build.with_name("model_docs") / "static_index.html"


def filled_in(written: Path) -> Path:
    """dbt's page with manifest and catalog within it, beside which they lie.

    Types of columns are the models' own, so that dbt need not ask the database for them.
    """
    folder = written.parent
    manifest, catalog = (json.loads((folder / f"{name}.json").read_text()) for name in ("manifest", "catalog"))
    for kind in ("nodes", "sources"):
        catalog[kind] = {
            name: _catalogued(node) for name, node in manifest[kind].items() if node["resource_type"] in SHOWN
        }
    page = (folder / "index.html").read_text(encoding="utf-8")
    for placeholder, filled in PLACEHOLDERS.items():
        page = page.replace(placeholder, filled)
    for name, content in (("MANIFEST", manifest), ("CATALOG", catalog)):
        page = page.replace(f'"{name}.JSON INLINE DATA"', json.dumps(content))
    with appearing(written) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return written


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


def main(business_date: date) -> None:
    """Write dbt's page of the deployment of the environment; the bank's runs need not wait for it."""
    settings = Settings.from_env()
    variables = {"business_date": str(business_date), "from_date": str(business_date)}
    write_docs(settings, variables, docs_page(settings).parent)


if __name__ == "__main__":
    main(date.fromisoformat(sys.argv[1]))
