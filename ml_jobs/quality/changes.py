"""Whether the sentences about changes are true, and how much each kind says: what readers see in a table."""

from rich.table import Table

from lakehouse import warehouse
from lakehouse.language import ENGLISH, Voice
from lakehouse.settings import Settings

OUTCOMES = ("churn", "arrears", "purchase")
Row = dict[str, str | int | float | bool | None]


def change_quality(settings: Settings) -> dict[str, Row]:
    """The published ``marts.change_kind_quality``, by kind of change."""
    rows = warehouse.query_serving(settings, "select * from marts.change_kind_quality order by change_kind").to_pylist()
    return {row["change_kind"]: row for row in rows}


def tables(quality: dict[str, Row], say: Voice = ENGLISH) -> list[Table]:
    """`change_quality` for a person."""
    table = Table(title=say("Changes: sentences that the rows confirm"), title_justify="left", title_style="bold")
    table.add_column("kind")
    for name in (
        "shown",
        "changes",
        "true",
        *(say("lift: {outcome}", outcome=say.code(outcome)) for outcome in OUTCOMES),
    ):
        table.add_column(name, justify="right")
    for kind, row in quality.items():
        lifts = (_lift(row[f"{outcome}_lift"], row[f"{outcome}_followed_count"]) for outcome in OUTCOMES)
        true = "" if row["true_rate"] is None else f"{row['true_rate']:.1%}"
        is_shown = say("yes") if row["is_shown"] else say("no")
        table.add_row(say.code(kind), is_shown, f"{row['change_count']:,}", true, *lifts)
    table.caption = say("lift: how much more often it comes within 90 days than with everybody (customers followed)")
    table.caption_justify = "left"
    return [table]


def _lift(lift: str | float | bool | None, followed: str | float | bool | None) -> str:
    return "" if lift is None else f"{lift:.2f} ({followed:,})"
