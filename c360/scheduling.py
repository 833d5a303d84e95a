"""What the DAGs share: schedule, assets, pools, time-outs, and the step from a run of Airflow to one of the pipeline.

The partition key of every run is a business date, ``YYYY-MM-DD`` in the bank's time zone.
"""

import os
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, CronPartitionTimetable, TriggerRule, task
from airflow.sdk.exceptions import AirflowFailException

from lakehouse.contracts import load_deployment
from lakehouse.lake import close_files
from lakehouse.settings import Settings

close_files()  # every task is a process that imports this module first
ZONE = "Asia/Shanghai"
# A run begins at midnight after business date D, with key D. At any other hour a back-fill drops its last date.
DAILY = CronPartitionTimetable("0 0 * * *", timezone=ZONE, run_offset=-1, key_format="%Y-%m-%d")
# A bank whose deliveries have ended (a demonstration, an archive) says so; its dates are run by back-fill only.
# Otherwise Airflow would at once make a run for the latest midnight, even without catch-up.
LAST_DATE = os.environ.get("C360_LAST_DATE")

DEPLOYMENT = load_deployment(Settings.from_env().deployment)
# asset -> the channels that it stands for
CHANNELS = {"lake_branch": ("branch", "reference", "feedback"), "lake_online": ("online",)}
# The order in which tasks get the one slot of the build engine: a date that is nearly published goes first.
URGENCY = {"retrain": 0, "check": 1, "build": 2, "score": 3, "serve": 4}
LAKE = {name: Asset(name) for name, channels in CHANNELS.items() if DEPLOYMENT.feeds_of(*channels)}
MARTS, SCORES = Asset("marts"), Asset("scores")


def dag(dag_id: str, doc_md: str, tags: list[str], **schedule: Any) -> DAG:
    """A DAG with the defaults of this project: one run at a time, retries with growing delay, failures recorded."""
    return DAG(
        dag_id,
        doc_md=doc_md,
        tags=["c360", *tags],
        max_active_runs=1,
        catchup=False,
        default_args={
            "owner": "customer-data",
            "weight_rule": "absolute",
            "retries": 2,
            "retry_delay": timedelta(minutes=1),
            "retry_exponential_backoff": True,
            "execution_timeout": timedelta(hours=2),
            "on_failure_callback": record_failure,
        },
        **schedule,
    )


def ingest_dag(dag_id: str, asset: str, doc_md: str) -> DAG:
    """The producer of one lake asset: every feed of its channels into the lake, then the gate landing -> raw."""
    channels = CHANNELS[asset]
    until = datetime.combine(date.fromisoformat(LAST_DATE), datetime.min.time(), UTC) if LAST_DATE else None
    with dag(dag_id, doc_md, ["landing", *channels], schedule=DAILY, end_date=until) as producer:

        @task(pool="lake", map_index_template="{{ feed }}", execution_timeout=timedelta(minutes=30))
        def ingest(feed: str, *, dag_run: Any = None) -> None:
            from c360 import intake

            intake.ingest(Settings.from_env(), feed, business_date(dag_run), dag_run.run_id)

        # It runs even if the ingest of a feed failed: the gate checks what is in the lake. It asks the build engine
        # which dates are still to be built.
        @task(
            pool="build",
            priority_weight=URGENCY["check"],
            outlets=[LAKE[asset]],
            trigger_rule=TriggerRule.ALL_DONE,
            retries=0,
        )
        def check_delivered(*, dag_run: Any = None) -> None:
            from c360 import pipeline

            pipeline.check_delivered(Settings.from_env(), business_date(dag_run), channels, dag_run.run_id)

        ingested = ingest.expand(feed=list(DEPLOYMENT.feeds_of(*channels)))
        checked = check_delivered()
        ingested >> checked
        [ingested, checked] >> report_failure()
    return producer


@task(pool="build", priority_weight=URGENCY["serve"], trigger_rule=TriggerRule.ONE_FAILED, retries=0)
def report_failure(*, dag_run: Any = None) -> None:
    """Publish ``ops`` alone, so that readers see what failed, tell those who are to know, and fail.

    A run ends in the state of its last task.
    """
    from c360 import outbound, pipeline

    settings = Settings.from_env()
    pipeline.publish_ops(settings, business_date(dag_run), dag_run.run_id)
    if DEPLOYMENT.alerts:
        outbound.alert(settings, datetime.now(UTC), run_id=dag_run.run_id)
    raise AirflowFailException("a task of this run failed: see its log, and the run in ops.runs")


def business_date(dag_run: Any) -> date:
    """The business date of a run of Airflow, from its partition key.

    Raises
    ------
    AirflowFailException
        If the run has no key, or one that is not a date. It is refused without a retry.
    """
    if not is_business_date(dag_run.partition_key):
        raise AirflowFailException(
            f"run {dag_run.run_id} is refused: its partition key {dag_run.partition_key!r} is not a business date "
            "(YYYY-MM-DD). Back-fill the ingest DAGs (airflow backfill create), or trigger a run over REST with a "
            "partition_key"
        )
    return date.fromisoformat(dag_run.partition_key)


def is_business_date(key: str | None) -> bool:
    """Whether a partition key is a date written as ``YYYY-MM-DD``."""
    try:
        return date.fromisoformat(key or "").isoformat() == key
    except ValueError:
        return False


def record_failure(context: dict) -> None:
    """Failure call-back: log, and where the step was killed before it could, record in the lake that it failed."""
    import json
    import logging

    from lakehouse.lake.runs import recorded, safe_run_id

    dag_run, instance, failure = context["dag_run"], context["ti"], context.get("exception")
    label = f"{instance.dag_id}.{instance.task_id}"
    logging.getLogger(__name__).error("%s failed for %s: %s", label, dag_run.partition_key, failure)
    if not is_business_date(dag_run.partition_key):
        return
    settings = Settings.from_env()
    records = (settings.lake / "runs" / safe_run_id(dag_run.run_id)).glob("[!.]*.json")
    if any(json.loads(path.read_text())["status"] == "failed" for path in records):
        return
    try:
        with recorded(settings, dag_run.run_id, label, business_date(dag_run)):
            raise RuntimeError(f"ended without a result: {failure}")
    except RuntimeError:
        return
