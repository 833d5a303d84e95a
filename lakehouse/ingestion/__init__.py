"""Landing to lake: every delivery is checked against its contract and loaded wholly or not at all."""

from lakehouse.ingestion.decisions import accept, retract
from lakehouse.ingestion.feeds import ingest_feed
from lakehouse.ingestion.plausibility import dateless
from lakehouse.ingestion.readiness import missing_feeds
from lakehouse.ingestion.sending import check, land

__all__ = ["accept", "check", "dateless", "ingest_feed", "land", "missing_feeds", "retract"]
