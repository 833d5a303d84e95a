"""Why a task has no model or no scores."""

from lakehouse.errors import Stop


class CannotScore(Stop):
    """The data do not support the score; the message is the reason that readers see."""
