"""Steps of runs as OpenLineage events, for a bank's own catalogue: which feeds a run read, which columns it published.

Where events go is the client's own configuration (``OPENLINEAGE_URL``, ``OPENLINEAGE__TRANSPORT__TYPE``, …, see
https://openlineage.io/docs/client/python): without any, nothing is sent. A catalogue that does not answer stops no run.
"""

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from lakehouse import warehouse
from lakehouse.contracts import load_feeds
from lakehouse.lake.runs import Record, read_records
from lakehouse.settings import Settings
from lakehouse.warehouse.derivation import read_lineage

if TYPE_CHECKING:  # loaded where events are sent: most runs send none
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent
    from openlineage.client.facet_v2 import RunFacet

JOBS, FEEDS, PUBLISHED = "c360", "c360/feeds", "c360/published"  # namespaces
INGEST = "ingest_"

log = logging.getLogger(__name__)


def tell(settings: Settings, run_id: str, step: str) -> None:
    """Send how a step of a run began and ended, by its record in the lake."""
    from openlineage.client import OpenLineageClient

    try:
        (record,) = (record for record in read_records(settings.lake, run_id) if record["step"] == step)
        client = OpenLineageClient()
        for event in events(settings, record):
            client.emit(event)
        client.close()
    except Exception as error:  # noqa: BLE001 - whatever the catalogue's fault is, the run is not to suffer
        log.warning("OpenLineage: step %s of run %s is not told: %s", step, run_id, error)


def events(settings: Settings, record: Record) -> "list[RunEvent]":
    """The start and the end of a step; the end of ``serve`` has the published tables, column by column."""
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import error_message_run, nominal_time_run

    is_success = record["status"] == "success"
    day = f"{record['business_date']}T00:00:00Z"
    facets: dict[str, RunFacet] = {"nominalTime": nominal_time_run.NominalTimeRunFacet(day)}
    if record["error"]:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(record["error"], "Python")
    run = Run(str(uuid5(NAMESPACE_URL, f"{JOBS}/{record['run_id']}/{record['step']}")), facets)
    job = Job(JOBS, record["step"])
    inputs, outputs = _datasets(settings, record["step"]) if is_success else ([], [])
    end = RunState.COMPLETE if is_success else RunState.FAIL
    return [
        RunEvent(eventTime=_time(record["started_at"]), run=run, job=job, eventType=RunState.START),
        RunEvent(eventTime=_time(record["ended_at"]), run=run, job=job, eventType=end, inputs=inputs, outputs=outputs),
    ]


def _datasets(settings: Settings, step: str) -> "tuple[list[InputDataset], list[OutputDataset]]":
    from openlineage.client.event_v2 import InputDataset, OutputDataset

    if step.startswith(INGEST):
        return [], [OutputDataset(FEEDS, step.removeprefix(INGEST))]
    if step == "serve":
        return [InputDataset(FEEDS, feed) for feed in load_feeds()], _published(settings)
    return [], []


def _published(settings: Settings) -> "list[OutputDataset]":
    """Every published table and view, with the columns of feeds from which each of its columns derives."""
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import column_lineage_dataset, output_statistics_output_dataset

    lineage, feeds = read_lineage(settings), load_feeds().keys()
    columns: dict[str, list[str]] = {}
    for known in lineage.direct:
        table, _, column = known.rpartition(".")
        columns.setdefault(table, []).append(column)
    shown = "select schema_name || '.' || table_name as name, row_count from ops.publications order by name"
    return [
        OutputDataset(
            PUBLISHED,
            row["name"],
            {"outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(row["row_count"])},
            facets={
                "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(
                    {
                        column: column_lineage_dataset.Fields(
                            [
                                column_lineage_dataset.InputField(FEEDS, feed, field)
                                for feed, _, field in (
                                    root.partition(".") for root in lineage.roots(f"{row['name']}.{column}")
                                )
                                if feed in feeds
                            ]
                        )
                        for column in columns.get(row["name"], ())
                    }
                )
            },
        )
        for row in warehouse.query_serving(settings, shown).to_pylist()
    ]


def _time(text: str) -> str:
    """A time of a record, UTC, as ISO 8601 has it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).isoformat()
