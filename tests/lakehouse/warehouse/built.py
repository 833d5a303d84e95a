"""What dbt would have built, in a millisecond."""

import json

import duckdb
import psycopg

from lakehouse.settings import Settings
from lakehouse.warehouse import dbt


class Built:
    """Stands in for dbt, in a millisecond: relations in the build engine, and the manifest that names them."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.nodes = settings, {}

    def execute(self, *statements: str) -> None:
        if self.settings.target == "duckdb":
            connection = duckdb.connect(self.settings.build)
        else:
            connection = psycopg.connect(self.settings.postgres_dsn.get_secret_value())
        with connection:
            for statement in statements:
                connection.execute(statement)

    def model(
        self,
        name: str,
        sql: str,
        materialized: str = "table",
        partition_by: str | None = None,
        reads: tuple = (),
        described: dict[str, str] | None = None,
    ) -> None:
        """``described``: the description of each column."""
        schema, table = name.split(".")
        kind = "view" if materialized == "view" else "table"
        self.execute(
            f"create schema if not exists build_{schema}",
            f"drop {kind} if exists build_{name}",
            f"create {kind} build_{name} as {sql}",
        )
        compiled = dbt.target_path(self.settings) / "compiled" / "small" / f"{table}.sql"
        compiled.parent.mkdir(parents=True, exist_ok=True)
        compiled.write_text(sql)
        self.nodes[f"model.small.{table}"] = {
            "package_name": "small",
            "original_file_path": f"{table}.sql",
            "description": f"Grain: row of {table}" if described else "",
            "columns": {
                column: {"name": column, "description": text, "meta": {}} for column, text in (described or {}).items()
            },
            "resource_type": "model",
            "schema": f"build_{schema}",
            "name": table,
            "alias": table,
            "config": {"materialized": materialized, "meta": {"partition_by": partition_by} if partition_by else {}},
            "depends_on": {"nodes": [f"model.small.{read.split('.')[1]}" for read in reads]},
        }
        manifest = dbt.target_path(self.settings) / "manifest.json"
        manifest.parent.mkdir(parents=True, exist_ok=True)
        manifest.write_text(json.dumps({"nodes": self.nodes, "sources": {}}))
