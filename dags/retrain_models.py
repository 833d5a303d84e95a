"""
### Purpose
Acts on the alerts of model monitoring: where a score has drifted, or its outcomes differ from its probabilities, a
challenger is trained on the data known by now, and the promotion rule decides whether it takes over.

### Notes
- Started by published scores, once per date; on most dates there is nothing to do.
- Only a date with new outcomes since the last training retrains: the same rows would give the same model.
- If it does not run, scoring of the next date trains instead: the models do not depend on when this DAG runs.
- The alerts are in `ops.model_monitoring`, and warnings of the gate marts -> readers.
"""

from typing import Any

from airflow.sdk import PartitionedAssetTimetable, task

from c360.scheduling import SCORES, URGENCY, business_date, dag, report_failure
from lakehouse.settings import Settings

with dag("retrain_models", __doc__, ["scores"], schedule=PartitionedAssetTimetable(assets=SCORES)):

    @task(pool="build", priority_weight=URGENCY["retrain"])
    def retrain(*, dag_run: Any = None) -> None:
        from c360 import pipeline

        pipeline.retrain(Settings.from_env(), business_date(dag_run), dag_run.run_id)

    retrain() >> report_failure()
