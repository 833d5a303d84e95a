"""Any past publish, made again from the lake alone in a place of its own, and held against what readers saw.

Deliveries are taken as they were known then, those that were retracted since too; models as they were trained.
Identity, marts, features, labels, scores, segments, forecasts and actions are computed anew.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from c360 import pipeline
from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.lake import publishes, write_outcome
from lakehouse.lake.deliveries import read_outcome
from lakehouse.lake.erasures import FOLDER as ERASURES
from lakehouse.lake.erasures import bring_key, read_erasures
from lakehouse.lake.publishes import PublishRecord
from lakehouse.lake.secret import fingerprint
from lakehouse.settings import Settings
from lakehouse.warehouse.stores.duckdb import published

NOT_CONTENT = ("ops.",)  # it tells of runs and files, and every run is another
COMPUTED_ANEW = ("abstentions", "monitoring")  # beside a task's models


@dataclass(frozen=True)
class Comparison:
    """A published table, as readers had it and as it was made again."""

    table: str
    published_hash: str
    reproduced_hash: str | None  # None: it was not made

    @property
    def is_equal(self) -> bool:
        """Whether the two have the same content."""
        return self.published_hash == self.reproduced_hash


@dataclass(frozen=True)
class Reproduction:
    """What became of the tables of one publish."""

    record: PublishRecord
    tables: tuple[Comparison, ...]
    erased_since: tuple[str, ...] = ()  # erasures that the publish had not seen: they explain a difference

    @property
    def is_equal(self) -> bool:
        """Whether every table has the content that it had."""
        return all(table.is_equal for table in self.tables)

    def document(self) -> dict[str, object]:
        """For JSON."""
        return {
            "publish_id": self.record.publish_id,
            "business_date": self.record.business_date,
            "run_id": self.record.run_id,
            "is_equal": self.is_equal,
            "erased_since": self.erased_since,
            "tables": [{**vars(table), "is_equal": table.is_equal} for table in self.tables],
        }


def reproduce(
    settings: Settings,
    publish_id: int | None = None,
    table: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Reproduction:
    """Build a past publish again, from nothing but the lake, and compare content hashes.

    Parameters
    ----------
    publish_id : int, optional
        By default the last.
    table : str, optional
        For instance ``marts.customer_360``; by default every table and view but those of ``ops``.

    Raises
    ------
    Stop
        If there is no record of the publish or no such table in it, another version of the project built it, Postgres
        published it, or a file of it is not in the lake any more.
    """
    record = publishes.read_publish(settings.lake, publish_id)
    wanted = _wanted(record, table)
    if record.target != "duckdb":
        raise Stop(
            f"publish {record.publish_id} is one of Postgres, whose hashes only that server can compute",
            "reproduce a publish of the DuckDB store",
        )
    if record.project != warehouse.project_version():
        raise Stop(
            f"publish {record.publish_id} was built by another version of the dbt project ({record.project})",
            "install the version that built it, and reproduce there",
        )
    if record.token_fingerprint != fingerprint(settings.token_secret):
        remedy = "reproduce with the secret of that time and a lake from a backup of that time"
        raise Stop(f"since publish {record.publish_id} the token secret was changed, and every token with it", remedy)
    with _lake_of(settings, record) as place:
        day = record.business_date
        for name, step in (
            ("built", pipeline.build),
            ("scored", pipeline.score),
            ("network", pipeline.network),
            ("served", pipeline.serve),
        ):
            step(place, day, "reproduction")
            progress(f"{name}: {day}, publish {record.publish_id}")
        made = published(place).publications
    hashes = {name: publication.content_hash for name, publication in made.items()}
    tables = tuple(Comparison(name, record.tables[name], hashes.get(name)) for name in wanted)
    unseen = record.publish_id + 1
    erased = (one for one in read_erasures(settings.lake) if (one.publish_id or unseen) >= unseen)
    return Reproduction(record, tables, tuple(one.erasure_id for one in erased))


def _wanted(record: PublishRecord, table: str | None) -> list[str]:
    names = [name for name in record.tables if not name.startswith(NOT_CONTENT)]
    if table is None:
        return names
    if table not in names:
        near = get_close_matches(table, names, n=3)
        remedy = f"did you mean {' or '.join(near)}?" if near else "name one, for instance marts.customer_360"
        raise Stop(f"publish {record.publish_id} has no table {table} that can be reproduced", remedy)
    return [table]


@contextmanager
def _lake_of(settings: Settings, record: PublishRecord) -> Generator[Settings]:
    """Settings of a lake that has the deliveries of the record and the models of the bank, and nothing else."""
    with tempfile.TemporaryDirectory(prefix="reproduction-", dir=settings.lake.parent) as folder:
        lake = Path(folder) / "lake"
        for name in record.deliveries:
            outcome = read_outcome(settings.lake, name)
            _borrow(settings.lake, lake, outcome.lake_file, outcome.quarantine_file)
            write_outcome(lake, outcome)
        for name, fate in record.refused.items():
            outcome = read_outcome(settings.lake, name)
            _borrow(settings.lake, lake, outcome.quarantine_file)
            # one that was accepted, or retracted, since has another fate now
            write_outcome(lake, replace(outcome, outcome=fate, rows_loaded=0, lake_file=None))
        if (settings.lake / ERASURES).exists():  # whom they are about stays one customer by them
            shutil.copytree(settings.lake / ERASURES, lake / ERASURES)
            bring_key(settings.lake, lake)
        for model in (settings.lake / "models").glob("*/*"):
            if model.name not in COMPUTED_ANEW:
                shutil.copytree(model, lake / model.relative_to(settings.lake), copy_function=os.symlink)
        for signed in (settings.lake / "proposals").glob("[!.]*.json"):
            _borrow(settings.lake, lake, str(signed.relative_to(settings.lake)))
        yield settings.model_copy(
            update={
                "lake": lake,
                "landing": Path(folder) / "landing",
                "build": Path(folder) / "build.duckdb",
                "warehouse": Path(folder) / "warehouse.duckdb",
                "published": Path(folder) / "published",
            }
        )


def _borrow(source: Path, lake: Path, *names: str | None) -> None:
    """Show files of the bank's lake in the other lake, which reads them and never writes to them."""
    for name in filter(None, names):
        if not (source / name).exists():
            raise Stop(f"{source / name} is not in the lake any more", "put it back from a backup")
        (lake / name).parent.mkdir(parents=True, exist_ok=True)
        (lake / name).symlink_to(source / name)
