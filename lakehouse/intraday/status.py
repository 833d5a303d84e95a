"""What the intraday loop has done, as readers see it."""

from datetime import date, datetime
from typing import NotRequired, TypedDict

from lakehouse import warehouse
from lakehouse.intraday.batches import FEEDS, waiting
from lakehouse.intraday.brokers import BrokerAway, connect
from lakehouse.settings import Settings


class Status(TypedDict):
    """Figures of the last cycles, and what waits now; figures are None before the first cycle."""

    watermark: date | None  # the last date that a daily run has published
    last_readable_at: datetime | None  # UTC
    batches: int | None
    events: int | None
    new_events: int | None
    repeated_events: int | None
    late_events: int | None
    refused_events: int | None
    delay_p50_seconds: float | None  # from the event to the moment at which readers see it
    delay_worst_p99_seconds: float | None
    delay_max_seconds: float | None
    most_waiting_batches: int | None
    waiting: dict[str, int]  # batches in the landing folder, by feed
    broker: NotRequired[dict[str, int | None] | str]  # entries still there, by feed; or why it does not answer


def read_status(settings: Settings, cycles: int = 1000) -> Status:
    """Figures of the last ``cycles`` cycles, and what waits in the landing folder and at the broker now."""
    (figures,) = warehouse.query_serving(
        settings,
        """
        select
            max(readable_at) as last_readable_at, sum(batch_count) as batches, sum(event_count) as events,
            sum(new_count) as new_events, sum(repeated_count) as repeated_events, sum(late_count) as late_events,
            sum(refused_count) as refused_events,
            sum(delay_p50_seconds * event_count) / nullif(sum(event_count), 0) as delay_p50_seconds,
            max(delay_p99_seconds) as delay_worst_p99_seconds, max(delay_max_seconds) as delay_max_seconds,
            max(waiting_count) as most_waiting_batches
        from (select * from ops.intraday_cycles order by cycle desc limit $1) as cycles
        """,
        [cycles],
    ).to_pylist()
    now = {feed: len(waiting(settings.landing, feed)) for feed in FEEDS}
    status: Status = {"watermark": warehouse.published_date(settings), **figures, "waiting": now}
    if settings.broker_url:
        status["broker"] = _in_broker(settings)
    return status


def _in_broker(settings: Settings) -> dict[str, int | None] | str:
    broker = connect(settings)
    try:
        return {feed: broker.waiting(feed) for feed in FEEDS}
    except BrokerAway as error:
        return f"away: {error}"
