"""Landing to lake: every delivery is checked against its contract and loaded wholly or not at all."""

from c360.ingestion.feeds import ingest_feed
from c360.ingestion.readiness import missing_feeds

__all__ = ["ingest_feed", "missing_feeds"]
