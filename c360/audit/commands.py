"""What somebody does by a command: who saw whom goes to the journal of page views, anything else to the chain."""

import os
import pwd
from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import uuid4

from c360.access import Grant
from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.lake import audit
from lakehouse.lake.audit.chain import Kind
from lakehouse.lake.page_views import Event, Journal
from lakehouse.lake.page_views import Kind as Seen
from lakehouse.settings import Settings

ROLE = "command"  # in ops.page_views: whoever has an account on the machine


def who() -> str:
    """The account of the machine under which a command runs: not what an environment says."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # an account of a container has no name
        return f"uid {number}"


def note(settings: Settings, kind: Kind, subject: str, detail: str | None = None, by: str | None = None) -> None:
    """Put what a command is about to do into the audit."""
    audit.append(settings.lake, [audit.entry(kind, subject, by or who(), detail)])


def note_views(
    settings: Settings,
    page: str,
    customer_keys: Iterable[str],
    detail: str | None = None,
    person: Grant | None = None,
    kind: Seen = "view",
) -> None:
    """Put whom a command is about to show into the journal of page views, an event per customer or party record.

    Parameters
    ----------
    person : Grant, optional
        Who has shown by a token who they are; by default the account of the machine.
    kind : str
        ``refusal`` where they are not shown.

    Raises
    ------
    Stop
        If the lake cannot be written: nobody is shown unseen.
    """
    with warehouse.shown(settings) as shown:
        publish_id = shown.publish_id
    business_date, number = warehouse.last_published(settings), uuid4().hex
    at = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    events = [
        Event(
            event_id=f"{number}-{place}",
            happened_at=at,
            business_date=str(business_date),
            publish_id=publish_id,
            user_name=person.name if person else who(),
            role_name=person.role_name if person else ROLE,
            event_kind=kind,
            page=page,
            customer_key=key,
            detail=detail,
            delivered=None,
        )
        for place, key in enumerate(dict.fromkeys(customer_keys))
    ]
    try:
        Journal(settings.lake).append(events)
    except OSError as error:
        raise Stop(
            f"who looks at customers is written down, and {settings.lake} cannot be written: {error.strerror}",
            "use the workbench or the API, or set C360_LAKE to a folder of your own",
        ) from error
