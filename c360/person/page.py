"""The record of a person as one page that needs no other file: first what was made of them, then every row."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from c360.person.record import DeliveredFeed, Made, Record, Values
from lakehouse.language import LANGUAGES, Language, Voice
from lakehouse.pages import environment

TEMPLATES = Path(__file__).with_name("templates")
# What people ask for first: the text over it, the table, and its columns in their order; of a sentence without ending.
FIRST: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("person_scores", "scores.customer_scores", ("task", "as_of_date", "horizon_days", "score", "band", "reason")),
    (
        "person_actions",
        "actions.worklist",
        ("source", "action", "reason", "is_handed_out", "arm", "block_reason", "channel", "due_date", "action_state"),
    ),
    ("person_wishes", "marts.customer_wishes", ("purpose", "decision", "effective_date", "channel")),
    (
        "person_policy",
        "actions.contact_policy",
        ("is_allowed", "block_reason", "is_service_allowed", "service_block_reason", "is_control"),
    ),
    (
        "person_cases",
        "actions.cases",
        ("case_kind", "state", "opened_date", "closed_date", "outcome", "amount_at_risk", "evidence"),
    ),
    ("person_alerts", "marts.outflow_alerts", ("business_date", "flow_kind", "amount", "is_serious")),
)
WITHIN_ROW = ("delivery", "file", "line", "is_current")


@dataclass(frozen=True)
class Grid:
    """A table of the page."""

    title: str
    note: str
    heads: tuple[str, ...]
    meanings: tuple[str, ...]  # of the columns, shown where one points at them
    rows: tuple[tuple[str, ...], ...]


def page(record: Record, language: Language) -> str:
    """The page of a record, in a language."""
    say = Voice(language)
    template = environment(TEMPLATES).get_template("person.html.j2")
    return template.render(
        say=say,
        language=language,
        record=record,
        first=tuple(_first(record, say)),
        looked=_looked(record, say),
        delivered=tuple(_delivered(feed, say) for feed in record.delivered),
        refused=_refused(record, say),
        made=tuple(_made(made, say) for made in (*record.published, *record.kept)),
        receipts=_receipts(record, say),
    )


def _first(record: Record, say: Voice) -> Iterator[Grid]:
    for title, table, columns in FIRST:
        rows = [_in_language(row, say) for row in record.rows_of(table)]
        here = tuple(name for name in columns if not rows or name in rows[0])
        yield _grid(say(title), table, here, rows, say)


def _in_language(row: Values, say: Voice) -> dict[str, JsonValue]:
    """A row with its sentences under their names, in one language."""
    told = dict(row)
    for name in row:
        base, _, ending = name.rpartition("_")
        if ending in LANGUAGES and base:
            told.pop(name)
            if ending == say.language:
                told[base] = row[name]
    return told


def _grid(title: str, note: str, columns: Sequence[str], rows: Sequence[Values], say: Voice, **meanings: str) -> Grid:
    heads = tuple(say.heading(name) for name in columns)
    cells = tuple(tuple(_written(row.get(name), say) for name in columns) for row in rows)
    return Grid(title, note, heads, tuple(meanings.get(name, name) for name in columns), cells)


def _written(value: JsonValue, say: Voice) -> str:
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and re.fullmatch("[a-z_ ]+", value):
        return say.code(value)
    return "" if value is None else str(value)


def _looked(record: Record, say: Voice) -> Grid:
    columns = ("happened_at", "user_name", "role_name", "event_kind", "page", "detail")
    return _grid(say("person_looked"), "", columns, [look.model_dump() for look in record.looked], say)


def _delivered(feed: DeliveredFeed, say: Voice) -> Grid:
    names = tuple(dict.fromkeys(name for row in feed.rows for name in row.values))
    rows = [{name: getattr(row, name) for name in WITHIN_ROW} | dict(row.values) for row in feed.rows]
    return _grid(say.code(feed.feed), feed.description, (*WITHIN_ROW, *names), rows, say)


def _refused(record: Record, say: Voice) -> Grid:
    columns = ("feed", "file", "line", "reason", "text")
    return _grid(say("person_refused"), "", columns, [row.model_dump() for row in record.refused], say)


def _made(made: Made, say: Voice) -> Grid:
    rows = [_in_language(row, say) for row in made.rows]
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    meanings = {name: text for name, text in made.columns.items() if text}
    note = made.description or ""
    if made.mention_count:
        note = f"{note} {say('person_mentions', count=f'{made.mention_count:,}')}"
    return _grid(made.table, note, columns, rows, say, **meanings)


def _receipts(record: Record, say: Voice) -> Grid:
    rows = [_in_language(row, say) for row in record.receipts]
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return _grid(say("person_receipts"), "", columns, rows, say)
