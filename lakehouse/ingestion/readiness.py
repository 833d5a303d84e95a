"""Which required feeds have not delivered for a business date."""

from collections.abc import Collection

from lakehouse.contracts import Deployment
from lakehouse.ingestion.landing import Period
from lakehouse.lake import Pin


def missing_feeds(deployment: Deployment, pin: Pin, channels: Collection[str]) -> list[str]:
    """Required feeds of the channels without a current loaded delivery that covers the pin's business date.

    A delivery covers it by its period: that day, or the month that holds it. A rejected delivery counts for nothing.
    """
    covered = {
        item.outcome.feed
        for item in pin.deliveries
        if item.superseded_date is None and Period(item.outcome.period).contains(pin.business_date)
    }
    return [feed for feed in deployment.feeds_of(*channels) if feed in deployment.required and feed not in covered]
