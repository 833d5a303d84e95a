"""What has not come: required feeds without a delivery for a business date, and days without any delivery."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

from lakehouse.contracts import Deployment
from lakehouse.ingestion.landing import Period
from lakehouse.lake import Pin, is_day_accepted


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


def silent_days(deployment: Deployment, lake: Path, dates: Sequence[date], since: date) -> list[date]:
    """Days on which the bank delivers, and no feed did, though feeds did before and after; but for accepted ones.

    Parameters
    ----------
    dates : sequence of date
        The business dates, in order.
    since : date
        The first business date to look at, with the days before it back to the business date before it.
    """
    return [
        day
        for before, after in pairwise(dates)
        if after >= since
        for day in (before + timedelta(days=number) for number in range(1, (after - before).days))
        if day.weekday() in deployment.delivery_days and not is_day_accepted(lake, day)
    ]
