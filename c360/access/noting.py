"""What is written down of people: one form for the workbench and the API, in the one journal of the lake."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from uuid import uuid4

from c360.access.register import Grant
from lakehouse.lake.page_views import Event, Kind


def events_of(
    person: Grant | None,
    publish: tuple[int, date],
    kind: Kind,
    page: str,
    customer_keys: Iterable[str | None] = (None,),
    detail: str | None = None,
    delivered: dict[str, str] | None = None,
    event_id: str | None = None,
) -> list[Event]:
    """What happened now, an event per customer.

    Parameters
    ----------
    publish
        Publish id and business date that were shown.
    delivered
        Of a write: the row for a feed.
    """
    number, (publish_id, business_date) = event_id or uuid4().hex, publish
    return [
        Event(
            event_id=f"{number}-{place}",
            happened_at=datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds"),
            business_date=str(business_date),
            publish_id=publish_id,
            user_name=person.name if person else None,
            role_name=person.role_name if person else None,
            event_kind=kind,
            page=page,
            customer_key=key,
            detail=detail,
            delivered=delivered,
        )
        for place, key in enumerate(dict.fromkeys(customer_keys))
    ]
