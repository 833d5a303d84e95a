"""
### Purpose
Brings identities, marts, features and labels up to a business date, when the lake has every declared channel of it.

### Notes
- Started by the lake assets, once per date; it cannot be back-filled itself: back-fill the ingest DAGs, or trigger one
  date over REST with its `partition_key`.
- Dates may come in any order: the build engine keeps them in order, and a date before the latest rebuilds forward.
- `build` takes the only slot of the pool `build`: DuckDB has one writer.
"""

from datetime import timedelta
from functools import reduce
from operator import and_
from typing import Any

from airflow.sdk import PartitionedAssetTimetable, task

from c360.scheduling import LAKE, MARTS, URGENCY, business_date, dag, report_failure
from lakehouse.settings import Settings

schedule = PartitionedAssetTimetable(assets=reduce(and_, LAKE.values()))

with dag("build_customer_360", __doc__, ["marts"], schedule=schedule):

    @task(pool="build", priority_weight=URGENCY["build"], outlets=[MARTS], execution_timeout=timedelta(hours=6))
    def build(*, dag_run: Any = None) -> None:
        from c360 import pipeline

        pipeline.build(Settings.from_env(), business_date(dag_run), dag_run.run_id)

    build() >> report_failure()
