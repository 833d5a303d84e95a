"""A small bank that is run from deliveries to readers; its personal values are then looked for in all that it wrote."""

from datetime import date
from pathlib import Path

import duckdb

import simulator
from c360 import pipeline
from lakehouse.contracts import load_feeds
from lakehouse.lake import pin
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal

CUSTOMERS, MONTHS, START = 120, 14, date(2024, 1, 1)
OF_EACH = 2  # values of each personal column
LEAST_BYTES = 7  # a shorter value stands in other texts by chance
IN_CLEAR = {  # where personal data stands, and why
    "landing/*": "as sources deliver it",
    "truth/*": "what the simulator knows",
    "lake/raw/*": "as delivered, closed to others",
    "lake/quarantine/*": "refused rows, closed to others",
    "build.duckdb*": "the build engine, closed to others",
}


def run_bank(folder: Path) -> Settings:
    """Simulate and run it; its files are below the folder."""
    simulator.generate(CUSTOMERS, MONTHS, 7, folder, days=1, start=START)
    paths = {"landing": folder / "landing", "lake": folder / "lake", "published": folder / "published"}
    files = {"build": folder / "build.duckdb", "warehouse": folder / "warehouse.duckdb"}
    settings = Settings.from_env(**paths, **files, target="duckdb", outbox=folder / "outbox")
    pipeline.run(settings)
    return settings


def personal_values(settings: Settings, business_date: date) -> dict[str, str]:
    """Some values of every personal text column of the newest deliveries: ``customers.phone 1`` -> the value."""
    found = {}
    with duckdb.connect() as connection:
        for feed in load_feeds().values():
            files = [
                literal(str(one.outcome.rows_path(settings.lake)))
                for one in pin(settings.lake, business_date).of(feed.name)
            ]
            for column in feed.columns:
                if not files or not column.is_pii or column.type != "varchar":
                    continue
                name = identifier(column.name)
                rows = connection.execute(
                    f"select distinct {name} as value from read_parquet([{', '.join(files)}], union_by_name = true) "
                    f"where octet_length(encode({name})) >= {LEAST_BYTES} order by md5(value) limit {OF_EACH}"
                ).fetchall()
                found |= {f"{feed.name}.{column.name} {place}": value for place, (value,) in enumerate(rows, 1)}
    return found
