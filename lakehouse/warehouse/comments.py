"""What readers' tools show beside every table and column: dbt's descriptions, with the unit of each figure."""

import re
from collections.abc import Iterable
from dataclasses import replace

from lakehouse.catalog import Relation
from lakehouse.warehouse.levels import GENERAL, Levels
from lakehouse.warehouse.live import CYCLE, DAILY_FLOW, LIVE
from lakehouse.warehouse.publication import PARTITIONS, PUBLICATIONS, Comment, Model

Comments = dict[str, Comment]  # by published name, ``marts.…``
Statement = tuple[str, str | None, str]  # published name, column or None for the table itself, comment

FRACTION = "1 = 100 %"
# By the last word of a column's name, without the window (``_90d``) and the end of an interval (``_low``).
UNITS = {
    "rate": FRACTION,
    "share": FRACTION,
    "probability": FRACTION,
    "seconds": "seconds",
    "days": "days",
    "weeks": "weeks",
    "months": "months",
    "years": "years",
    "at": "UTC",
}
WINDOW_OR_END = re.compile(r"(_\d+[dmw]?|_low|_high)+$")


def comments_of(models: Iterable[Model], currency: str, levels: Levels | None = None) -> Comments:
    """The comments of all that is published: models as dbt describes them, and what stores add to these.

    Parameters
    ----------
    models : iterable of Model
        All published models, whether or not they are published now.
    currency : str
        ISO code of the currency in which the bank's amounts are.
    levels : Levels, optional
        Security levels of the columns; those above general are named.
    """
    described = {model.full_name: _with_levels(model, levels) for model in models}
    for relation in (PUBLICATIONS, PARTITIONS, CYCLE):
        described[relation.full_name] = comment_of(relation)
    for table in LIVE:
        if table.mirrors in described:
            described[table.full_name] = Comment(table.description, described[table.mirrors].columns)
    if DAILY_FLOW in described:
        daily = described[DAILY_FLOW]
        text = "Grain: as fund_flow_daily. Daily up to the last published date, within the day after it."
        described["marts.fund_flow"] = Comment(text, daily.columns)
    return {name: _with_units(comment, currency) for name, comment in described.items()}


def comment_of(relation: Relation) -> Comment:
    """The comment of a relation that the project describes itself."""
    return Comment(relation.description, {column.name: column.description for column in relation.columns})


def unit_of(column: str, currency: str) -> str | None:
    """The unit of a figure by the column's name.

    >>> unit_of("leak_30d_amount", "CNY"), unit_of("leak_rate_30d", "CNY"), unit_of("waiting_seconds", "CNY")
    ('CNY', '1 = 100 %', 'seconds')
    >>> unit_of("customer_key", "CNY")
    """
    words = WINDOW_OR_END.sub("", column).split("_")
    if words[0] in ("is", "has"):
        return None
    if "amount" in words:
        return currency
    return "days" if words[:2] == ["days", "since"] else UNITS.get(words[-1])


def missing_statements(comments: Comments, present: Iterable[tuple[str, str | None, str | None]]) -> list[Statement]:
    """The comments that a store still lacks.

    Parameters
    ----------
    present : iterable of tuple
        Published name, column or None, and the comment of all that the store has; a comment may be None.
    """
    found = []
    for name, column, text in present:
        comment = comments.get(name)
        wanted = comment and (comment.text if column is None else comment.columns.get(column))
        if wanted and wanted != text:
            found.append((name, column, wanted))
    return found


def _with_levels(model: Model, levels: Levels | None) -> Comment:
    if levels is None:
        return model.comment
    columns = {}
    for name, text in model.comment.columns.items():
        level = levels.level(f"{model.full_name}.{name}")
        columns[name] = text if level == GENERAL else f"{text} ({level})"
    return replace(model.comment, columns=columns)


def _with_units(comment: Comment, currency: str) -> Comment:
    columns = {}
    for name, text in comment.columns.items():
        unit = comment.units.get(name, unit_of(name, currency))
        columns[name] = f"{text} [{unit}]" if unit else text
    return Comment(comment.text, columns)
