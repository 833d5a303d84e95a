"""Landing to lake: every delivery is checked against its contract and loaded wholly or not at all."""

from lakehouse.ingestion.agreement import Disagreement, check_agreement, check_repeats
from lakehouse.ingestion.decisions import accept, accept_silence, retract
from lakehouse.ingestion.feeds import ingest_feed
from lakehouse.ingestion.plausibility import dateless
from lakehouse.ingestion.readiness import missing_feeds, silent_days
from lakehouse.ingestion.sending import check, land

__all__ = [
    "Disagreement",
    "accept",
    "accept_silence",
    "check",
    "check_agreement",
    "check_repeats",
    "dateless",
    "ingest_feed",
    "land",
    "missing_feeds",
    "retract",
    "silent_days",
]
