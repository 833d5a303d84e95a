"""What the intraday loop has done, as readers see it."""

import redis

from lakehouse import warehouse
from lakehouse.intraday import broker
from lakehouse.intraday.batches import FEEDS, waiting
from lakehouse.settings import Settings


def read_status(settings: Settings, cycles: int = 1000) -> dict:
    """Figures of the last ``cycles`` cycles, and what waits in the landing folder now.

    Returns
    -------
    dict
        ``watermark`` (the last date of the daily road), ``last_readable_at`` (UTC), counts of batches and events,
        seconds from the event to the moment at which readers see it, ``waiting`` batches, and, where there is a broker,
        the entries that ``broker`` still has, by feed: None where it cannot tell, and its error if it is away.
    """
    (told,) = warehouse.query_serving(
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
    status = {"watermark": warehouse.published_date(settings), **told, "waiting": now}
    return status | {"broker": _in_broker(settings)} if settings.broker_url else status


def _in_broker(settings: Settings) -> dict[str, int | None] | str:
    client = broker.connect(settings.broker_url)
    try:
        return {feed: broker.waiting(client, feed) for feed in FEEDS}
    except redis.RedisError as error:
        return f"away: {error}"
