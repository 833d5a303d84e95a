"""
### Purpose
Removes landed files and page views that are older than the deployment keeps them (`retention`), by the business date
that readers see. Without `retention` there is no such DAG.

### Notes
- What went is listed with its digest in `retentions/<business date>.json` of the lake, and in the audit.
- A task that was killed is simply run again. While a run is at work the task fails, and tries again in an hour.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, task

from c360.scheduling import DEPLOYMENT, ZONE, dag
from lakehouse.settings import Settings

if DEPLOYMENT.retention:
    with dag("retain_files", __doc__, ["privacy"], schedule=CronTriggerTimetable("30 22 * * *", timezone=ZONE)):

        @task(pool="lake", execution_timeout=timedelta(hours=1), retries=2, retry_delay=timedelta(hours=1))
        def remove(*, dag_run: Any = None) -> int:
            from lakehouse import retention

            settings = Settings.from_env()
            day = retention.counted_from(settings)
            return len(retention.retain(settings, day, dag_run.run_id)) if day else 0

        remove()
