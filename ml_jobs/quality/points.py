"""A scorecard for people: its bands and points as tables."""

from collections.abc import Iterator

from rich.table import Table

from lakehouse.language import Voice
from ml_jobs.learning.scorecard import Points, Standing, band_text
from ml_jobs.task_file import Task, phrases


def points_tables(task: Task, points: Points, say: Voice) -> Iterator[Table | str]:
    """The whole table of points."""
    yield say("everybody has {points} points; more points, less risk; 20 more double the odds", points=points["base"])
    table = _table("feature", "band", "points")
    for name, bands in points["features"].items():
        for band in bands:
            table.add_row(_named(task, name, say), band_text(band, say), str(band["points"]))
    yield table


def standing_tables(task: Task, stands: Standing, say: Voice) -> Iterator[Table | str]:
    """The points of one row, and what would lift it out of the riskiest part of the list."""
    yield say("{score} points; the top band ends at {limit}", score=stands["score"], limit=stands["limit"])
    table = _table("feature", "band", "points")
    for name, band in stands["bands"].items():
        table.add_row(_named(task, name, say), band_text(band, say), str(band["points"]))
    yield table
    if stands["score"] > stands["limit"]:
        return
    if not stands["changes"]:
        yield say("no single feature would lift it out of the top band")
        return
    table = _table("feature", "would have to be", "points gained")
    for change in stands["changes"]:
        table.add_row(_named(task, change["feature"], say), band_text(change["to"], say), f"+{change['gain']}")
    yield table


def _named(task: Task, feature: str, say: Voice) -> str:
    words = phrases(task).get(feature)
    return feature if words is None else words.zh if say.language == "zh" else words.en


def _table(*columns: str) -> Table:
    table = Table()
    for name in columns:
        table.add_column(name)
    return table
