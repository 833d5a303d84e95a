"""Tags: what there is, one of them, and the form by which a person makes, changes or retires one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from c360.api.prepared import Prepared
from c360.app.conditions import OPERATORS, catalogue, choices, operator_words, sentence
from c360.app.groups import Groups
from c360.app.handing_in import working_day
from c360.app.keeping import Kept
from c360.app.tag_form import MORE, MOST, Draft, Judged, define, judge, said
from c360.app.workbench import Visit, Workbench
from c360.reports import Query, Row
from lakehouse import tags
from lakehouse.errors import Stop
from lakehouse.language import Voice
from lakehouse.sql import identifier
from lakehouse.tags.changes import FEED
from lakehouse.tags.columns import Offered, tables
from lakehouse.tags.definition import CONDITIONS

FEW = 40  # values of a column up to which a form shows them
KEPT_COLUMNS = 256
DAYS = 92  # of which sizes are shown
_STATEMENTS = {
    "tags.current": "select * from marts.tags where is_current order by tag",
    "tags.versions": "select tag as whose, versions.* from marts.tags as versions order by version",
    "tags.barred": """
        select tag as whose, block_reason, count(*) as customers from marts.customer_tags
        where block_reason is not null group by tag, block_reason order by customers desc, block_reason
    """,
    "tags.records": """
        select business_date, detail from ops.runs
        where step = 'serve' and status = 'success' order by business_date desc, ended_at desc
    """,
}


@dataclass(frozen=True)
class Version:
    """A version of a tag: as it is published, or handed in to count from its day on."""

    version: int
    change_kind: str
    state: str
    first_date: date
    description: str
    owner: str
    matching: str
    conditions: Sequence[str]  # in words
    expires_date: date
    problem: str | None = None
    changed_by: str | None = None
    note: str | None = None
    differences: Sequence[tuple[str, str, str]] = ()  # what, before, after


@dataclass(frozen=True)
class Size:
    """How many had a tag on a published day."""

    day: date
    members: int
    contactable: int


class Room:
    """What the pages of tags share."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.settings = workbench.settings
        self.groups = Groups(workbench)
        self._told: Kept[list[tags.Told]] = Kept(1)
        self._day: Kept[date] = Kept(1)
        self._records: Kept[list[Row]] = Kept(1)
        self._values: Kept[Sequence[str] | None] = Kept(KEPT_COLUMNS)

    def day(self, visit: Visit) -> date:
        """The day whose customers are published."""
        with self.workbench.reading.shown(visit.shown.publish_id) as shown:
            return self._day.once(shown.publish_id, partial(tags.counted_day, shown.query))

    def first_day(self, visit: Visit) -> date:
        """The first day on which counts what is handed in now."""
        return working_day(self.settings, self.day(visit))

    def waiting(self, visit: Visit) -> dict[str, list[tags.Told]]:
        """Tag -> what is handed in and not published yet, oldest first."""
        found: dict[str, list[tags.Told]] = {}
        for one in tags.told(self.settings, self.day(visit)):
            found.setdefault(one.tag, []).append(one)
        return found

    def draft(self, visit: Visit, tag: str) -> Draft | None:
        """The last version of a tag, to be changed; None if there is none."""
        published = visit.shown.prepared.of("tags.versions", tag)
        names = ("tag", "description", "owner", "matching", "expires_date", "conditions", "version")
        rows = [[row[name] for name in names] for row in published]
        rows += [[getattr(one, name) for name in names] for one in self.waiting(visit).get(tag, [])]
        return Draft.of(*rows[-1]) if rows else None

    def history(self, visit: Visit, tag: str) -> list[Version]:
        """Every version of a tag, the last one first, each with what it changed."""
        published = visit.shown.prepared.of("tags.versions", tag)
        before = self._told.once(visit.shown.publish_id, lambda: list(tags.told(self.settings)))
        say = Voice(visit.language)
        told = {one.version: one for one in before if one.tag == tag}
        versions = [_published(row, told.get(row["version"]), say) for row in published]
        versions += [_waiting(one, say) for one in self.waiting(visit).get(tag, [])]
        firsts = [None, *versions]
        return [_compared(one, former) for one, former in zip(versions, firsts, strict=False)][::-1]

    def sizes(self, visit: Visit, tag: str, today: Row) -> list[Size]:
        """Sizes of a tag as each day's last run published them, the newest first."""
        records = self._records.once(visit.shown.publish_id, partial(read_sizes, visit.shown.prepared))
        found = {row["day"]: row["sizes"][tag] for row in records if tag in row["sizes"]}
        if today["member_count"] is not None:
            found[today["business_date"]] = [today["member_count"], today["contactable_count"]]
        return [Size(day, *found[day]) for day in sorted(found, reverse=True)][:DAYS]

    def judge(self, visit: Visit, draft: Draft) -> Judged:
        """What of a draft fits what is published."""
        occurring = partial(self.occurring, visit)
        return judge(draft, self.day(visit), self.settings.target, visit.language, occurring)

    def preview(self, visit: Visit, judged: Judged) -> tags.Preview | None:
        """What the conditions choose now; None if they do not fit."""
        if judged.conditions is None:
            return None
        with self.workbench.reading.shown(visit.shown.publish_id) as shown:
            return tags.count_by(shown.query, self.settings.target, judged.conditions, judged.draft.matching)

    def occurring(self, visit: Visit, column: Offered) -> Sequence[str] | None:
        """The values of a column, where they are few and name no customer."""
        if column.name.endswith("_key"):
            return None
        with self.workbench.reading.shown(visit.shown.publish_id) as shown:
            name = (shown.publish_id, column.table, column.name)
            return self._values.once(name, partial(values_of, shown.query, column))


def routes(workbench: Workbench) -> APIRouter:
    """Tags."""
    router = APIRouter()
    room = Room(workbench)

    @router.get("/tags")
    def listed(visit: Annotated[Visit, workbench.may("tags", "tags:read")]) -> Response:
        rows = visit.shown.prepared.rows("tags.current")
        waiting = room.waiting(visit)
        new = [told[-1] for tag, told in waiting.items() if tag not in {row["tag"] for row in rows}]
        workbench.note(visit, "view", "tags")
        return workbench.page(
            visit, "tags.html.j2", rows=rows, waiting=waiting, new=new, may_write=_may_write(visit, workbench)
        )

    @router.get("/tag")
    def form(visit: Annotated[Visit, workbench.may("tag_form", "tags:write", FEED)]) -> Response:
        draft = room.draft(visit, tag) if (tag := visit.asked.get("tag", "")) else Draft()
        if draft is None:
            workbench.refuse(visit)
            return Response()
        workbench.note(visit, "view", "tag_form", detail=tag or None)
        return _form(room, visit, Judged(draft.with_room(), None))

    @router.post("/tag")
    def fill(visit: Annotated[Visit, workbench.may("tag_form", "tags:write", FEED)]) -> Response:
        return _filled(room, visit)

    @router.get("/tags/{tag}")
    def page(tag: str, visit: Annotated[Visit, workbench.may("tag", "tags:read")]) -> Response:
        return _page(room, visit, tag)

    @router.post("/tags/{tag}/retire")
    def retire(tag: str, visit: Annotated[Visit, workbench.may("tag_retire", "tags:write", FEED)]) -> Response:
        why = " ".join(visit.form.get("why", "").split())[:200]
        try:
            handed = tags.retire(workbench.settings, tag, room.first_day(visit), visit.person.name, why)
        except Stop:
            workbench.refuse(visit)  # there is none, or it is retired already: the page has no such button
            raise
        workbench.note(visit, "write", FEED, detail=f"{tag}:{handed.version} retire")
        return RedirectResponse(_address(tag), 303)

    return router


def _page(room: Room, visit: Visit, tag: str) -> Response:
    """The page of one tag."""
    workbench = room.workbench
    versions = room.history(visit, tag)
    if not versions:
        workbench.refuse(visit)
    prepared = visit.shown.prepared
    current = next((row for row in prepared.of("tags.versions", tag) if row["is_current"]), None)
    barred = {row["block_reason"]: row["customers"] for row in prepared.of("tags.barred", tag)}
    members = room.groups.listing(visit, "tag", tag) if visit.person.may("customers:read") and current else None
    workbench.note(visit, "view", "tag", members.keys if members else [None], tag)
    return workbench.page(
        visit,
        "tag.html.j2",
        tag=tag,
        current=current,
        counted=next((one for one in versions if one.state != "handed_in"), None),
        last=versions[0],
        versions=versions,
        barred=barred,
        sizes=room.sizes(visit, tag, current) if current else [],
        members=members,
        page_link=lambda number: f"{_address(tag)}?page={number}#members",
        may_write=_may_write(visit, workbench),
    )


def _filled(room: Room, visit: Visit) -> Response:
    """The form again, with what it chooses and what does not fit; or, once it is saved, the page of the tag."""
    workbench, wanted = room.workbench, visit.form.get("do", "preview")
    draft = Draft.filled(visit.form)
    judged = room.judge(visit, draft.with_room(MORE if wanted == "more" else 0))
    if wanted == "more":
        return _form(room, visit, replace(judged, problems={}))
    preview = room.preview(visit, judged)
    written = f"{draft.matching}: {'; '.join(map(str, judged.conditions))}" if judged.conditions else "does not fit"
    workbench.note(visit, "view", "tag_form", detail=written[:500])
    if wanted == "save":
        definition, problems = define(judged, visit.language)
        problems = {**judged.problems, **problems}
        if definition is not None and judged.seal != visit.form.get("seen"):
            problems["save"] = visit.text("look_first")
        elif definition is not None:
            try:
                day = room.first_day(visit)
                handed = tags.save(room.settings, definition, day, visit.person.name, draft.why, draft.version)
            except Stop as stop:
                is_known = isinstance(stop, tags.Misfit)
                problems |= {stop.part: said(stop, visit.language)} if is_known else {"save": str(stop)}
            else:
                workbench.note(visit, "write", FEED, detail=f"{handed.tag}:{handed.version} save")
                return RedirectResponse(_address(handed.tag), 303)
        judged = replace(judged, problems=problems)
    return _form(room, visit, judged, preview)


def _form(room: Room, visit: Visit, judged: Judged, preview: tags.Preview | None = None) -> Response:
    say = Voice(visit.language)
    return room.workbench.page(
        visit,
        "tag_form.html.j2",
        draft=judged.draft,
        problems=judged.problems,
        preview=preview,
        each=_each(judged, preview, say),
        seal=judged.seal if preview else "",
        first_day=room.first_day(visit),
        choices=choices(visit.language),
        operators=[(name, operator_words(name, say)) for name in OPERATORS],
        catalogue=catalogue(visit.language),
        is_full=len(judged.draft.lines) >= MOST,
    )


def _each(judged: Judged, preview: tags.Preview | None, say: Voice) -> list[tuple[str, int]]:
    """Each condition in words, with the customers who meet it alone."""
    if preview is None:
        return []
    return [(sentence(one, say), n) for one, n in zip(judged.conditions or (), preview.each, strict=True)]


def _may_write(visit: Visit, workbench: Workbench) -> bool:
    return workbench.deployment.takes_in(FEED) and visit.person.may("tags:write")


def _address(tag: str) -> str:
    return f"/tags/{quote(tag, safe='')}"


def _published(row: Row, told: tags.Told | None, say: Voice) -> Version:
    return Version(
        version=row["version"],
        change_kind=told.change_kind if told else "retire" if row["state"] == "retired" else "save",
        state=row["state"],
        first_date=row["version_date"],
        description=row["description"],
        owner=row["owner"],
        matching=row["matching"],
        conditions=_in_words(row["conditions"], say),
        expires_date=row["expires_date"],
        problem=row["problem"],
        changed_by=told.changed_by if told else None,
        note=told.note if told else None,
    )


def _waiting(told: tags.Told, say: Voice) -> Version:
    return Version(
        version=told.version,
        change_kind=told.change_kind,
        state="handed_in",
        first_date=told.business_date,
        description=told.description,
        owner=told.owner,
        matching=told.matching,
        conditions=_in_words(told.conditions, say),
        expires_date=told.expires_date,
        changed_by=told.changed_by,
        note=told.note,
    )


def _in_words(conditions: str, say: Voice) -> list[str]:
    try:
        return [sentence(one, say) for one in CONDITIONS.validate_json(conditions)]
    except ValueError:
        return [conditions]  # another system has sent what are no conditions


def _compared(now: Version, before: Version | None) -> Version:
    """The version with what it changed of the one before."""
    if before is None:
        return now
    found = [
        (name, str(getattr(before, name)), str(getattr(now, name)))
        for name in ("description", "owner", "expires_date", "matching")
        if getattr(before, name) != getattr(now, name)
    ]
    found += [("condition", one, "") for one in before.conditions if one not in now.conditions]
    found += [("condition", "", one) for one in now.conditions if one not in before.conditions]
    return replace(now, differences=found)


def statements() -> dict[str, str]:
    """The SQL of what is published of all tags."""
    return _STATEMENTS


def read_sizes(prepared: Prepared) -> list[Row]:
    """Day -> tag -> members and contactable, by the last record of each day."""
    days: dict[date, dict[str, list[int]]] = {}
    for row in prepared.rows("tags.records"):
        sizes = json.loads(row["detail"]).get("tag_sizes", {})
        days.setdefault(row["business_date"], sizes)
    return [{"day": day, "sizes": sizes} for day, sizes in days.items()]


def values_of(query: Query, column: Offered) -> Sequence[str] | None:
    """The values of a text column, None if there are many."""
    name = identifier(column.name)
    found = query(
        f"select distinct {name} as value from {tables()[column.table]} where {name} is not null "
        f"order by 1 limit {FEW + 1}",
        (),
    )["value"].to_pylist()
    return found if len(found) <= FEW else None
