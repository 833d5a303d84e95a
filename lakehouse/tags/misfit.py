"""A definition that does not fit: what is wrong with which part of it, for pages that say it beside the field."""

from typing import Literal

from lakehouse.errors import Stop

Part = Literal[  # the narrower after the wider
    "tag", "description", "owner", "matching", "expires_date", "conditions", "column", "operator", "values"
]
Reason = Literal[
    "unknown", "refused", "operator", "count", "number", "date", "text", "boolean", "days", "too_long", "missing",
    "name", "invalid", "over", "changed",
]  # fmt: skip


class Misfit(Stop):
    """A definition that cannot be; the message says it in English, to whoever is not shown a form.

    Parameters
    ----------
    part
        The field that it is about.
    reason
        What is wrong with it.
    given
        What was given there, or what it must be like; a part of the sentence that a page says.
    """

    def __init__(self, message: str, remedy: str, part: Part, reason: Reason, given: str = "") -> None:
        super().__init__(message, remedy)
        self.part, self.reason, self.given = part, reason, given
