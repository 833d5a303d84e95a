"""All receipts of a publish done again, and their file held against the audit."""

from dataclasses import dataclass
from datetime import date

from c360.receipts.files import newest, not_in_audit, read
from c360.receipts.replaying import Replayed, replay
from lakehouse.errors import Stop
from lakehouse.lake import audit
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Verified:
    """What became of the receipts of one publish."""

    publish_id: int
    replayed: tuple[Replayed, ...]
    problem: str | None  # with their file: it is not the one in the audit

    @property
    def is_same(self) -> bool:
        return self.problem is None and all(one.is_same for one in self.replayed)


def verify(settings: Settings, day: date, publish_id: int | None = None) -> Verified:
    """Do every receipt of a business date again, by default of its last publish.

    Raises
    ------
    Stop
        If the date has none.
    """
    path = newest(settings.lake, day, publish_id)
    problem = not_in_audit(settings.lake, path)
    try:
        receipts = read(path)
        replayed = tuple(replay(settings, receipts))
    except Stop as failure:
        return Verified(int(path.stem), (), problem or str(failure))
    root = f"root {receipts.root}"
    known = [one["detail"] or "" for one in audit.read(settings.lake) if one["kind"] == "receipts"]
    if problem is None and not any(detail.endswith(root) for detail in known):
        problem = f"{path.name}: the root of the receipts is not in the audit"
    return Verified(int(path.stem), replayed, problem)
