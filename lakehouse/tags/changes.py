"""What people do to tags: a definition, a new version, a retirement, each a row of the feed ``tag_definitions``.

Nothing is changed in place. What is handed in counts from its business date on, which no run has published yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from lakehouse import warehouse
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.ingestion import additions
from lakehouse.settings import Settings
from lakehouse.tags.definition import CONDITIONS, Definition
from lakehouse.tags.misfit import Misfit
from lakehouse.tags.rendering import condition_sql

FEED = "tag_definitions"


@dataclass(frozen=True)
class Handed:
    """A version that was handed in."""

    tag: str
    version: int
    change_kind: str  # save or retire
    business_date: date  # first day on which it counts
    changed_by: str


@dataclass(frozen=True)
class Told:
    """A version as somebody handed it in, with the name of who did it, which is not published."""

    tag: str
    version: int
    change_kind: str  # save or retire
    business_date: date  # first day on which it counts
    description: str
    owner: str
    matching: str
    conditions: str  # JSON
    expires_date: date
    changed_by: str
    note: str


def save(
    settings: Settings, definition: Definition, day: date, by: str, why: str = "", after: int | None = None
) -> Handed:
    """Hand in a definition, as the next version of its tag.

    Parameters
    ----------
    day
        First day on which it counts; later than what is published.
    by, why
        Who does it, and the reason.
    after
        The version that is changed, 0 for a new tag; if that is not the last one, nothing is handed in.

    Raises
    ------
    Misfit
        If a condition does not fit the published columns, it expires before it counts, or somebody else has changed
        the tag.
    """
    condition_sql(definition.conditions, definition.matching, day, settings.target)
    if definition.expires_date < day:
        words = f"{definition.tag} expires on {definition.expires_date}, before {day}"
        raise Misfit(words, "give a later day", "expires_date", "over", str(day))
    row = definition.model_dump(mode="json") | {"conditions": CONDITIONS.dump_json(definition.conditions).decode()}
    with additions.adding(settings, FEED):
        last = _last_versions(settings).get(definition.tag)
        if after is not None and after != (number := int(last["version"]) if last else 0):
            words = f"{definition.tag} has version {number} by now, and this changes version {after}"
            raise Misfit(words, "look at it, then change it again", "tag", "changed", str(number))
        return _hand_in(settings, row, last, "save", day, by, why)


def retire(settings: Settings, tag: str, day: date, by: str, why: str = "") -> Handed:
    """Hand in that nobody has a tag any more from a day on.

    Raises
    ------
    Stop
        If there is no such tag, or it is retired already.
    """
    with additions.adding(settings, FEED):
        last = _last_versions(settings)
        if tag not in last:
            raise Stop(f"there is no tag {tag}", f"use one of {', '.join(sorted(last)) or 'those that you save first'}")
        if last[tag]["change_kind"] == "retire":
            raise Stop(f"{tag} is retired since {last[tag]['business_date']}", "save it again to have it back")
        return _hand_in(settings, last[tag], last[tag], "retire", day, by, why)


def handed_in(settings: Settings) -> list[Handed]:
    """What is handed in and not published yet, oldest first."""
    published = warehouse.published_date(settings)
    return [
        Handed(one.tag, one.version, one.change_kind, one.business_date, one.changed_by)
        for one in told(settings, published)
    ]


def told(settings: Settings, after: date | None = None) -> Sequence[Told]:
    """Every version that was handed in, oldest first; with ``after``, those that count from a later day on."""
    names = ("tag", "change_kind", "description", "owner", "matching", "conditions", "changed_by", "note")
    return [
        Told(
            version=int(row["version"]),
            business_date=date.fromisoformat(row["business_date"]),
            expires_date=date.fromisoformat(row["expires_date"]),
            **{name: row[name] for name in names},
        )
        for rows in additions.handed_in(settings, FEED, after).values()
        for row in rows
    ]


def _hand_in(
    settings: Settings, row: Mapping[str, str], last: Mapping[str, str] | None, kind: str, day: date, by: str, why: str
) -> Handed:
    if not by.strip():
        raise Stop("nobody says who does it", "give --by NAME")
    load_deployment(settings.deployment).require(FEED)
    published = warehouse.published_date(settings)
    if published and day <= published:
        raise Stop(f"{day} is published already", f"give a day after {published}")
    version = 1 + (int(last["version"]) if last else 0)
    what = {"change_id": f"{row['tag']}:{version}", "version": str(version), "business_date": str(day)}
    who = {"change_kind": kind, "changed_by": by, "note": why}
    additions.add(settings, FEED, day, [{**row, **what, **who}])
    return Handed(row["tag"], version, kind, day, by)


def _last_versions(settings: Settings) -> dict[str, Mapping[str, str]]:
    """Tag -> the row of its highest version."""
    rows = [row for rows in additions.handed_in(settings, FEED).values() for row in rows]
    return {row["tag"]: row for row in sorted(rows, key=lambda row: int(row["version"]))}
