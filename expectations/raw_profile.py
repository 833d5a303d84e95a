"""The frames of the gate landing -> raw: small tables about the newest deliveries.

They come from outcome records and the footers of lake files; no data page is read.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.contracts import Deployment, Feed, load_feeds
from lakehouse.lake import Outcome, Pin

RECENT = timedelta(days=7)  # if no run checks a date, because the scheduler rests, a run in the week after it does
COMPARED = 10  # earlier deliveries that make the usual volume
NOTICEABLE_ROWS = 100  # below it, shares and volumes jump by chance


def frames(lake: Path, pin: Pin, deployment: Deployment, channels: Iterable[str]) -> dict[str, pa.Table]:
    """Suite name -> frame.

    ``raw_feeds``: one row per declared feed of the channels. ``raw_deliveries``: one row per current delivery of the
    last seven days (with the months of an initial load that ended in them). ``raw_columns``: one row per optional
    column of each feed's newest delivery, for deliveries of 100 rows or more.
    """
    contracts, names = load_feeds(), deployment.feeds_of(*channels)
    return {
        "raw_feeds": pa.Table.from_pylist(
            [_feed_row(pin, contracts[name], name in deployment.required) for name in names]
        ),
        "raw_deliveries": pa.Table.from_pylist(
            [row for name in names for row in _delivery_rows(pin, contracts[name], name in deployment.required)]
        ),
        "raw_columns": pa.Table.from_pylist(
            [row for name in names for row in _column_rows(lake, pin, contracts[name])]
        ),
    }


def _feed_row(pin: Pin, feed: Feed, is_required: bool) -> dict:
    known = [item.outcome.cutoff_date for item in pin.of(feed.name)]
    days = (pin.business_date - max(known)).days if known else None
    accepted = {item.outcome.period for item in pin.of(feed.name)}
    rejected = [
        o
        for o in pin.rejected
        if o.feed == feed.name and o.cutoff_date > pin.business_date - RECENT and o.period not in accepted
    ]
    return {
        "feed": feed.name,
        "is_required": is_required,
        "is_expected": is_required or bool(known),  # an optional feed that was never delivered is not missed
        "days_since_delivery": days,
        "days_over_latency": None if days is None else days - feed.latency_days,
        "missing_periods": len(missing := _missing_periods(pin, feed)),
        "missing": ", ".join(missing),
        "rejected_deliveries": len(rejected),
        "rejected_why": "; ".join(f"{o.delivery_id}: {o.reason}" for o in rejected),
    }


def _missing_periods(pin: Pin, feed: Feed) -> list[str]:
    """Periods between those of the feed for which other feeds did deliver and it did not, as far as they are due.

    Of the last seven days, and of an initial load that ended in them. A snapshot is whole without the ones before it.
    """
    told = {item.outcome.period for item in pin.of(feed.name) if item.superseded_date is None}
    if feed.is_snapshot or not told:
        return []
    outcomes = [item.outcome for item in pin.deliveries]
    due = pin.business_date - timedelta(days=feed.latency_days)
    initial_end = max((outcome.cutoff_date for outcome in outcomes if outcome.load == "initial"), default=date.min)
    expected = {
        outcome.period
        for outcome in outcomes
        if (outcome.load == "daily" and due - RECENT < outcome.cutoff_date <= due)
        or (outcome.load == "initial" and initial_end > pin.business_date - RECENT)
    }
    # A day lies in its month, and the text of a month sorts before its days.
    return sorted(period for period in expected - told if min(told) < period < max(told) and period[:7] not in told)


def _delivery_rows(pin: Pin, feed: Feed, is_required: bool) -> list[dict]:
    current = [item.outcome for item in pin.of(feed.name) if item.superseded_date is None]
    initial_end = max((o.cutoff_date for o in current if o.load == "initial"), default=date.min)
    known = [(o, initial_end if o.load == "initial" else o.cutoff_date) for o in current]
    return [
        _delivery_row(pin, feed, outcome, is_required) | {"is_new": since == pin.business_date}
        for outcome, since in known
        if since > pin.business_date - RECENT
    ]


def _delivery_row(pin: Pin, feed: Feed, outcome: Outcome, is_required: bool) -> dict:
    delivered = outcome.rows_delivered or 0
    tolerated = max(feed.reject_limit * delivered, feed.reject_floor)
    usual = _usual_rows(pin, outcome)
    return {
        "delivery": outcome.delivery_id,
        "is_required": is_required,
        "rows_delivered": delivered,
        "rows_loaded": outcome.rows_loaded,
        "rows_quarantined": outcome.rows_quarantined,
        "rows_accounted": outcome.rows_loaded + outcome.rows_quarantined + outcome.rows_erased,
        "rejects_over_limit": outcome.rows_quarantined - tolerated,
        "late_rate": outcome.late_rows / outcome.rows_loaded if outcome.rows_loaded else 0.0,
        "usual_rows": usual,
        "volume_ratio": delivered / usual if usual and usual >= NOTICEABLE_ROWS else None,
        "days_after_cutoff": _days_after(outcome),
    }


def _days_after(outcome: Outcome) -> int | None:
    """Days by which the newest row lies after the delivery's cut-off."""
    if outcome.max_business_date is None:
        return None
    return (outcome.max_business_date - outcome.cutoff_date).days


def _usual_rows(pin: Pin, outcome: Outcome) -> float | None:
    """Median rows of the feed's earlier days; None for an initial load, whose months grow with the bank."""
    earlier = [
        item.outcome.rows_delivered or 0
        for item in pin.of(outcome.feed)
        if item.outcome.load == outcome.load == "daily" and item.outcome.period < outcome.period
    ]
    return median(earlier[-COMPARED:]) if earlier else None


def _column_rows(lake: Path, pin: Pin, feed: Feed) -> list[dict]:
    filled = sorted(
        (
            item.outcome
            for item in pin.of(feed.name)
            if item.outcome.lake_file and item.outcome.rows_loaded >= NOTICEABLE_ROWS
        ),
        key=lambda outcome: (outcome.cutoff_date, outcome.period, outcome.version),
    )[-COMPARED - 1 :]
    if not filled or filled[-1].cutoff_date <= pin.business_date - RECENT:
        return []
    *earlier, newest = [(outcome, _null_shares(outcome.rows_path(lake))) for outcome in filled]
    outcome, shares = newest
    return [
        {
            "column": f"{outcome.delivery_id} {column.name}",
            "null_share": shares[column.name],
            "usual_null_share": (usual := median(s[column.name] for _, s in earlier) if earlier else None),
            "null_share_increase": None if usual is None else shares[column.name] - usual,
        }
        for column in feed.columns
        if not column.is_required
    ]


def _null_shares(path: Path) -> dict[str, float]:
    """Share of nulls per column, from the file's footer."""
    metadata = pq.read_metadata(path)
    nulls: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(index)
            nulls[chunk.path_in_schema] = nulls.get(chunk.path_in_schema, 0) + chunk.statistics.null_count
    return {name: count / metadata.num_rows for name, count in nulls.items()}
