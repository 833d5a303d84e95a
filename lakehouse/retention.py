"""What is older than the deployment keeps goes, by business date; what went is told by a record of the lake.

Two kinds of files can go without a figure moving: what has landed and is in the lake, and who has seen whom. Rows of
the lake stay: a past publish must be made again from them.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from lakehouse import lake, warehouse
from lakehouse.contracts import Deployment, load_deployment, load_feeds
from lakehouse.errors import Stop
from lakehouse.ingestion.landing import deliveries
from lakehouse.lake import audit
from lakehouse.lake.files import digest, json_text
from lakehouse.lake.running import at_work
from lakehouse.settings import Settings

FOLDER = "retentions"  # of the lake
LANDING, PAGE_VIEWS = "landing", "page_views"


@dataclass(frozen=True)
class Aged:
    """A file that is older than it is kept, and the rule."""

    place: str  # `LANDING` or `PAGE_VIEWS`
    file: str  # below the landing folder, or below the lake
    bytes: int
    sha256: str
    rule: str


def counted_from(settings: Settings, day: date | None = None) -> date | None:
    """The business date by which ages count: a given one, else the one that readers see; None before the first."""
    return day or warehouse.published_date(settings)


def look_at(settings: Settings, day: date) -> list[Aged]:
    """The files that are too old on a business date; nothing is written."""
    deployment = load_deployment(settings.deployment)
    return [*_landed(settings, deployment, day), *_page_views(settings, deployment, day)]


def retain(settings: Settings, day: date, by: str) -> list[Aged]:
    """Remove them, and write the record of it; a call that was killed is made again.

    Parameters
    ----------
    by : str
        Who removes: a person, or the run.

    Returns
    -------
    list of Aged
        What went by all calls of the business date.

    Raises
    ------
    Stop
        If a run is at work on the lake.
    """
    with warehouse.exclusive(settings, wait=0):
        if busy := at_work(settings.lake):
            raise Stop(f"{busy[0].name} is at work on {settings.lake}", "wait until it has ended")
        broken = {found.file for found in audit.verify(settings.lake).breaks}
        audit.seal(settings.lake, by)
        gone = _told(settings.lake, day) | {(one.place, one.file): one for one in look_at(settings, day)}
        if not gone:
            return []
        files = [asdict(one) for one in gone.values()]
        content = {"business_date": str(day), "by": by, "files": files}
        path = settings.lake / FOLDER / f"{day}.json"
        audit.replacing(settings.lake, path, json_text(content), by, "more files have become too old")
        lake.write_json(path, content)  # before they go: a killed call has told what it was about to remove
        roots = {LANDING: settings.landing, PAGE_VIEWS: settings.lake}
        for one in gone.values():
            (roots[one.place] / one.file).unlink(missing_ok=True)
        audit.reseal(settings.lake, by, f"kept no longer, see {FOLDER}/{day}.json", broken)
    return list(gone.values())


def _landed(settings: Settings, deployment: Deployment, day: date) -> Iterator[Aged]:
    """Files of deliveries that the lake has judged; the manifest first, so no half of a delivery is taken for one."""
    judged = {one.delivery_id for one in lake.read_outcomes(settings.lake)}
    for feed in load_feeds():
        days = deployment.retention.get(feed, deployment.retention.get(LANDING))
        if days is None:
            continue
        for delivery in deliveries(settings.landing, feed):
            is_judged = delivery.id_of(delivery.declared_hash or "") in judged
            if delivery.manifest and is_judged and delivery.cutoff_date < day - timedelta(days):
                for name in (delivery.path.name, *(file.name for file in delivery.manifest.files)):
                    yield _aged(LANDING, settings.landing, settings.landing / feed / name, f"{feed}: {days} days")


def _page_views(settings: Settings, deployment: Deployment, day: date) -> Iterator[Aged]:
    days = deployment.retention.get(PAGE_VIEWS)
    if days is None:
        return
    for folder in sorted((settings.lake / PAGE_VIEWS).glob("????-??-??")):
        if date.fromisoformat(folder.name) < day - timedelta(days):
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                yield _aged(PAGE_VIEWS, settings.lake, path, f"{PAGE_VIEWS}: {days} days")


def _aged(place: str, root: Path, path: Path, rule: str) -> Aged:
    return Aged(place, str(path.relative_to(root)), path.stat().st_size, digest(path), rule)


def _told(root: Path, day: date) -> dict[tuple[str, str], Aged]:
    """What an earlier call of the business date has told."""
    path = root / FOLDER / f"{day}.json"
    if not path.exists():
        return {}
    files = [Aged(**one) for one in json.loads(path.read_text())["files"]]
    return {(one.place, one.file): one for one in files}
