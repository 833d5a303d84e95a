"""
### Purpose
Tells the receivers that the deployment names what they have not been told: what waited for quiet hours to end, what a
target did not take, and that no day has come. Without receivers there is no such DAG.

### Notes
- Nothing is told twice: the lake remembers (`ops.alert_messages`).
- A target that does not take a message fails the task; the next hour sends it again, under the same id.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, task

from c360.scheduling import DEPLOYMENT, ZONE, dag
from lakehouse.settings import Settings

if DEPLOYMENT.alerts:
    with dag("send_alerts", __doc__, ["alerts"], schedule=CronTriggerTimetable("5 * * * *", timezone=ZONE)):

        @task(pool="lake", execution_timeout=timedelta(minutes=30), retries=0)
        def send(*, dag_run: Any = None) -> None:
            from c360 import outbound

            outbound.alert(Settings.from_env(), datetime.now(UTC), run_id=dag_run.run_id)

        send()
