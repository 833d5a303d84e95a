"""What dbt says while it runs, without what nobody hears."""

from typing import Any

from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager

UNHEARD = (EventLevel.TEST, EventLevel.DEBUG)


class HeardEvents(EventManager):
    """Of events below "info" no message is made: nothing is logged, and `run_dbt` listens to the others alone.

    dbt makes a message in protobuf of each, several for a statement, whether or not there is a logger or a callback.
    """

    def fire_event(
        self,
        e: BaseEvent,
        level: EventLevel | None = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,
    ) -> None:
        """As dbt does it, or nothing."""
        if force_warn_or_error_handling or (level or e.level_tag()) not in UNHEARD:
            super().fire_event(e, level, node, force_warn_or_error_handling)
