"""What the records of all publishes come to, as two Parquet files, so that nobody reads all of them again.

They lie in ``figures/gathered/<publish id>-<start of the record's digest>/``, named after the last record in them. The
records alone are enough: where the files are lost or damaged, they are made anew.
"""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.catalog import PUBLISHED_FIGURES, RESTATEMENT_CAUSES, Relation
from lakehouse.lake.figures.records import FOLDER, FigureRecord, Key, read_record, record_files
from lakehouse.lake.files import appearing_folder, digest

KEPT = 3  # folders: what they hold is in the records


@dataclass(frozen=True)
class Gathered:
    """The records of all publishes, or of those before one, in their order."""

    shown: pa.Table  # `PUBLISHED_FIGURES`
    causes: pa.Table  # `RESTATEMENT_CAUSES`

    @property
    def latest(self) -> dict[Key, Decimal | None]:
        """The figures as the last of the records leaves them."""
        names: list[list[str]] = [self.shown[name].to_pylist() for name in ("table_name", "measure")]
        days: list[date] = self.shown["figure_date"].to_pylist()
        return dict(zip(zip(*names, days, strict=True), self.shown["figure_value"].to_pylist(), strict=True))


def gather(lake: Path, before: int | None = None) -> Gathered:
    """What the records come to; files are written where records have come since.

    Parameters
    ----------
    before : int, optional
        Number of a publish: of the records before it alone.

    Raises
    ------
    Stop
        If a record that is read is damaged.
    """
    files = [path for path in record_files(lake) if before is None or int(path.stem) < before]
    known, left = _kept(lake, files)
    if not left:
        return known
    records = [read_record(path) for path in left]
    now = Gathered(
        pa.concat_tables([known.shown, _rows(PUBLISHED_FIGURES, _shown(records))]),
        pa.concat_tables([known.causes, _rows(RESTATEMENT_CAUSES, _causes(records))]),
    )
    _keep(lake, left[-1], now)
    return now


def _kept(lake: Path, files: list[Path]) -> tuple[Gathered, list[Path]]:
    """The most that is gathered of these records, and the records that it lacks."""
    places = {int(path.stem): place for place, path in enumerate(files, 1)}
    for folder in reversed(_folders(lake)):
        place = places.get(_number(folder))
        if place is None or folder.name != _name(files[place - 1]):
            continue  # of records that are no more
        try:
            tables = [pq.read_table(folder / _file(relation), partitioning=None) for relation in _RELATIONS]
        except (OSError, pa.ArrowException):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            return Gathered(*tables), files[place:]
    return Gathered(*(_rows(relation, ()) for relation in _RELATIONS)), files


def _keep(lake: Path, last: Path, gathered: Gathered) -> None:
    """Let the folder appear, and remove those that are older, or of a later publish that is no more."""
    with appearing_folder(_root(lake) / _name(last)) as temporary:
        for relation, rows in zip(_RELATIONS, (gathered.shown, gathered.causes), strict=True):
            pq.write_table(rows, temporary / _file(relation), compression="zstd")
    current = [folder for folder in _folders(lake) if _number(folder) <= int(last.stem)][-KEPT:]
    for folder in _folders(lake):
        if folder not in current:
            shutil.rmtree(folder, ignore_errors=True)


_RELATIONS = (PUBLISHED_FIGURES, RESTATEMENT_CAUSES)


def _root(lake: Path) -> Path:
    return lake / FOLDER / "gathered"


def _folders(lake: Path) -> list[Path]:
    return sorted(_root(lake).glob("[0-9]*"))


def _name(record: Path) -> str:
    return f"{record.stem}-{digest(record)[:12]}"


def _number(folder: Path) -> int:
    return int(folder.name.partition("-")[0])


def _file(relation: Relation) -> str:
    return f"{relation.name}.parquet"


def _rows(relation: Relation, records: Iterable[Mapping[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(list(records), relation.arrow_schema)


def _shown(records: Iterable[FigureRecord]) -> Iterable[Mapping[str, object]]:
    names = ("table_name", "measure", "figure_date")
    for record in records:
        for key, value in record.changes.items():
            said = {"publish_id": record.publish_id, "published_date": record.business_date, "figure_value": value}
            yield {**said, **dict(zip(names, key, strict=True))}


def _causes(records: Iterable[FigureRecord]) -> Iterable[Mapping[str, object]]:
    return ({"publish_id": record.publish_id, **asdict(cause)} for record in records for cause in record.causes)
