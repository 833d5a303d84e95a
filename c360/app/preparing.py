"""What the pages show of a publish, asked once for all of them: `c360.api.prepared`."""

from collections.abc import Mapping
from datetime import date

from c360.app import cases, groups, workbench
from c360.app.pages import brief, customers, status, tags


def statements(today: date) -> Mapping[str, str]:
    """SQL by the name under which a page finds its rows; the names of two pages differ in their first word."""
    of_places = (workbench, customers, cases, groups, tags, status)
    return brief.statements(today) | {name: sql for one in of_places for name, sql in one.statements().items()}
