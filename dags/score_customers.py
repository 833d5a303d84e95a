"""
### Purpose
Scores every customer for a business date (churn, tier upgrade, tier downgrade), finds change-points of assets, groups
the long tail, forecasts balances, computes the network of payments, builds what readers see, checks it, and
publishes it.

### Notes
- A score that the data cannot support abstains, and says why; that is a success.
- `serve` publishes after the gate marts -> readers only. If the gate fails, readers keep yesterday's tables, and `ops`
  says what failed.
- Models are trained when a month's first date is scored, and kept in the lake.
"""

from typing import Any

from airflow.sdk import PartitionedAssetTimetable, task

from c360.scheduling import MARTS, SCORES, URGENCY, business_date, dag, report_failure
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

    scored, placed, served = score(), network(), serve()
    [scored, placed] >> served
    [scored, placed, served] >> report_failure()
