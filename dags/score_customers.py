"""
### Purpose
Scores every customer for a business date (churn, tier upgrade, tier downgrade), finds change-points of assets, groups
the long tail, forecasts balances, computes the network of payments, builds what readers see, checks it,
publishes it, sends the changes to other systems, and tells those who are to know.

### Notes
- A score that the data cannot support abstains, and says why; that is a success.
- `serve` publishes after the gate marts -> readers only. If the gate fails, readers keep yesterday's tables, and `ops`
  says what failed.
- `activate` sends what was published to the targets that the deployment names, each in a task of its own. If a target
  does not answer, readers have the day nevertheless; the next run sends what is left.
- `alert` tells the receivers that the deployment names what they have not been told; in quiet hours, `send_alerts`
  does it later.
- Models are trained when a month's first date is scored, and kept in the lake.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import PartitionedAssetTimetable, task

from c360.scheduling import DEPLOYMENT, MARTS, SCORES, URGENCY, business_date, dag, report_failure
from lakehouse.settings import Settings

with dag("score_customers", __doc__, ["scores", "readers"], schedule=PartitionedAssetTimetable(assets=MARTS)):

    @task(pool="build", priority_weight=URGENCY["score"])
    def score(*, dag_run: Any = None) -> None:
        from c360 import pipeline

        pipeline.score(Settings.from_env(), business_date(dag_run), dag_run.run_id)

    @task(pool="build", priority_weight=URGENCY["score"])
    def network(*, dag_run: Any = None) -> None:
        from c360 import pipeline

        pipeline.network(Settings.from_env(), business_date(dag_run), dag_run.run_id)

    @task(pool="build", priority_weight=URGENCY["serve"], outlets=[SCORES])
    def serve(*, dag_run: Any = None) -> None:
        from c360 import pipeline

        pipeline.serve(Settings.from_env(), business_date(dag_run), dag_run.run_id)

    # It reads what is published and waits for other systems: not in the pool of the build.
    @task(pool="lake", map_index_template="{{ name }}", execution_timeout=timedelta(minutes=30))
    def activate(name: str, *, dag_run: Any = None) -> None:
        from c360 import outbound

        outbound.activate(Settings.from_env(), name, business_date(dag_run), dag_run.run_id)

    @task(pool="lake", execution_timeout=timedelta(minutes=30))
    def alert(*, dag_run: Any = None) -> None:
        from c360 import outbound

        outbound.alert(Settings.from_env(), datetime.now(UTC), run_id=dag_run.run_id)

    scored, placed, served = score(), network(), serve()
    [scored, placed] >> served
    tasks = [scored, placed, served]
    if DEPLOYMENT.activations:
        sent = activate.expand(name=list(DEPLOYMENT.activations))
        served >> sent
        tasks.append(sent)
    if DEPLOYMENT.alerts:
        told = alert()
        served >> told
        tasks.append(told)
    tasks >> report_failure()
