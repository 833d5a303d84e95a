"""
### Purpose
Runs the intraday loop: micro-batches of postings and wallet payments reach readers within seconds.

### Notes
- Paused until a bank has a live source. Each run is the loop for an hour; the next one begins when it ends, however it
  ended: what a killed loop had taken in is in the lake, and the next one reads it again. One that cannot begin is tried
  again after a minute.
- It has a separate pool and no assets: it neither waits for the daily runs nor holds them up.
- `c360 intraday status` and `ops.intraday_cycles` show how long events take to reach readers.
"""

from datetime import timedelta

from airflow.sdk import task

from c360.scheduling import dag
from lakehouse.settings import Settings

with dag("intraday_fund_flow", __doc__, ["intraday"], schedule="@continuous", is_paused_upon_creation=True):

    @task(pool="intraday", execution_timeout=timedelta(minutes=75))
    def run() -> None:
        from lakehouse import intraday

        intraday.run(Settings.from_env(), every=5, seconds=3600)

    run()
