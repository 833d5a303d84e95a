"""The first step of a business date, apart from the others: a process that takes in a feed imports nothing else."""

from collections import Counter
from datetime import date

from c360.steps import step
from lakehouse import ingestion
from lakehouse.lake import Outcome
from lakehouse.settings import Settings


def ingest(settings: Settings, feed: str, business_date: date, run_id: str) -> list[Outcome]:
    """Ingest every delivery of one feed that is known by the business date into the lake."""
    with step(settings, run_id, f"ingest_{feed}", business_date, feed) as detail:
        outcomes = ingestion.ingest_feed(settings, feed, business_date)
        detail["deliveries"] = {outcome.delivery_id: outcome.reason or outcome.outcome for outcome in outcomes}
        detail["outcomes"] = Counter(outcome.outcome for outcome in outcomes)
        if outcomes:
            detail["rows"] = {
                "loaded": sum(outcome.rows_loaded for outcome in outcomes),
                "quarantined": sum(outcome.rows_quarantined for outcome in outcomes),
            }
        return outcomes
