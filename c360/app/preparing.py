"""What the pages show of a publish, asked once for all of them: `c360.api.prepared`."""

from collections.abc import Mapping
from datetime import date

from c360.app import cases
from c360.app.pages import brief, customers, status


def statements(today: date) -> Mapping[str, str]:
    """SQL by the name under which a page finds its rows; the names of two pages differ in their first word."""
    return {**customers.statements(), **brief.statements(today), **cases.statements(), **status.statements()}
