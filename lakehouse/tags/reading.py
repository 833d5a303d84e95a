"""Every version of every tag, as readers see them."""

import pyarrow as pa

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings

TABLE = "marts.tags"


def versions(settings: Settings) -> list[dict[str, object]]:
    """The rows of ``marts.tags``, by tag, the last version first.

    Raises
    ------
    Stop
        If no run has published it yet.
    """
    with warehouse.shown(settings) as shown:
        if TABLE not in {name for name, _, _ in shown.comments}:
            raise Stop(f"{TABLE} is not published yet", "run a business date")
        rows = shown.rows(TABLE)
        table = rows.read_all() if isinstance(rows, pa.RecordBatchReader) else rows
    return table.sort_by([("tag", "ascending"), ("version", "descending")]).to_pylist()
