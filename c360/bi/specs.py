"""What a file of ``dashboards/`` says: titles in both languages, filters, and rows of charts."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from lakehouse.errors import Stop
from lakehouse.language import Language
from lakehouse.yaml_files import read_yaml

FOLDER = Path(__file__).with_name("dashboards")
WIDTH = 12  # columns of a dashboard

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Ordering = Annotated[str, StringConstraints(pattern=r"^-?[a-z][a-z0-9_]*$")]
StoreTable = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.[a-z0-9_]+$")]
Grain = Literal["day", "week", "month", "quarter", "year"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Strict):
    """A text in both languages."""

    en: str
    zh: str

    def of(self, language: Language) -> str:
        """The text in one of them."""
        return self.en if language == "en" else self.zh


class Chart(_Strict):
    """A chart: metrics by dimensions or over time, or rows or sums of a table.

    ``*`` in the name of a column stands for ``en`` or ``zh``.
    """

    kind: Literal["number", "line", "bar", "table"]
    title: Words | None = None  # without one, the metrics' labels
    note: Words | None = None  # how to read it
    metrics: tuple[Name, ...] = ()
    table: StoreTable | None = None
    columns: tuple[str, ...] = ()  # of the table, row by row
    sums: tuple[Name, ...] = ()  # columns of the table that are added up
    latest: Name | None = None  # a column of the table, of which the last value is shown
    counted: bool = False  # the table's rows are counted
    unit: Words | None = None  # what the rows are that are counted
    by: tuple[str, ...] = ()
    over: Grain | None = None
    time: Name | None = None  # of a table, the column of `over`
    days: Annotated[int, Field(ge=1)] | None = None  # of the dates that there are, the last ones
    where: str | None = None  # a condition on the columns, in SQL
    order: tuple[Ordering, ...] = ()
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    stacked: bool = False
    from_zero: bool = True  # the axis of a line; without it a small range is seen on a large level
    width: Annotated[int, Field(ge=1, le=WIDTH)] | None = None  # without one, an equal share of the row

    @model_validator(mode="after")
    def _asks_for_something(self) -> "Chart":
        of_table = bool(self.columns or self.sums or self.latest or self.counted)
        if bool(self.metrics) == of_table or of_table != bool(self.table):
            raise ValueError("a chart shows metrics, or a table's columns, sums, latest or counted rows")
        if self.kind == "line" and not self.over:
            raise ValueError("a line goes over day, week, month, quarter or year")
        if self.over and self.table and not self.time:
            raise ValueError("a table over time needs the column of its time")
        if of_table and not self.title:
            raise ValueError("a chart of a table needs a title")
        if self.counted and self.kind != "number" and not self.unit:
            raise ValueError("counted rows need a unit")
        return self


class Dashboard(_Strict):
    """A dashboard."""

    title: Words
    about: Words  # the question that it answers, shown on top
    filters: tuple[Name, ...] = ()  # dimensions by which its reader can narrow it
    rows: Annotated[tuple[tuple[Chart, ...], ...], Field(min_length=1)]


def read_dashboards(folder: Path = FOLDER) -> dict[str, Dashboard]:
    """The dashboards, by the names of their files, in the order of these.

    Raises
    ------
    Stop
        If a file says what no dashboard can show.
    """
    found = {}
    for path in sorted(folder.glob("*.yml")):
        try:
            found[path.stem.partition("_")[2]] = Dashboard.model_validate(read_yaml(path))
        except (ValidationError, yaml.YAMLError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            place = ".".join(map(str, first["loc"]))
            raise Stop(f"{path.name}: {place}: {first['msg']}", "compare it with the others beside it") from error
    return found
