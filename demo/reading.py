"""The dbt project, parsed and followed column by column while Airflow starts: a deployment does it once per version.

``python -m demo.reading 2026-01-01`` does it for the deployment of the environment.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date

from demo.beside import beside
from lakehouse import warehouse
from lakehouse.settings import Settings
from lakehouse.warehouse.derivation import keep_lineage
from lakehouse.warehouse.lineage import keep_personal
from lakehouse.warehouse.publication import SCHEMAS


@contextmanager
def reading_models(settings: Settings, business_date: date) -> Generator[None]:
    """Read them beside the block, by a process of its own; a build that comes before it has ended waits for it.

    If it fails, the first build does the same, and says why it cannot.
    """
    with beside("demo.reading", settings, business_date):
        yield


def main(business_date: date) -> None:
    """Read the project as the build of the date would."""
    settings = Settings.from_env()
    variables = {"business_date": str(business_date), "from_date": str(business_date), "as_of_dates": []}
    with warehouse.exclusive(settings):
        keep_lineage(settings, variables)
        keep_personal(settings, SCHEMAS)


if __name__ == "__main__":
    main(date.fromisoformat(sys.argv[1]))
