"""Landing to lake: every delivery is checked against its contract and loaded wholly or not at all."""

from lakehouse.ingestion.feeds import ingest_feed
from lakehouse.ingestion.readiness import missing_feeds
from lakehouse.ingestion.sending import check, land

__all__ = ["check", "ingest_feed", "land", "missing_feeds"]
