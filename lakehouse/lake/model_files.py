"""Where a task's files are in the lake. A name carries the pin of what was known, so content and name agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from pathlib import Path

from lakehouse.lake.dates import training_date
from lakehouse.lake.deliveries import Pin, pin
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Known:
    """What was known by a business date, and by the training date whose model scores it."""

    business_date: date
    pin_hash: str
    trained_on: date
    model_version: str

    @classmethod
    def by(cls, settings: Settings, business_date: date, trained_on: date | None = None) -> "Known":
        """From a listing of the lake, see `of`."""
        return cls.of(pin(settings.lake, business_date), trained_on)

    @classmethod
    def of(cls, pin: Pin, trained_on: date | None = None) -> "Known":
        """What a pin says; by default the training date is the last month-end that is not after its date."""
        trained_on = trained_on or training_date(pin.business_date)
        return cls(pin.business_date, pin.hash, trained_on, f"{trained_on}-{_hash_by(pin, trained_on)}")


def model_folder(settings: Settings, task: str, known: Known) -> Path:
    """Holds ``model.skops``, ``card.json``, the pages of the card, ``evaluation.parquet`` and ``signature``."""
    return settings.lake / "models" / task / known.model_version


def promotion_path(settings: Settings, task: str, known: Known) -> Path:
    """Which model scores from the month-end on, and why."""
    return settings.lake / "models" / task / "promotions" / f"{known.model_version}.json"


def newest_model(settings: Settings, task: str) -> Path | None:
    """The model of the latest training date, of what is known by that date now."""
    dates = sorted(_dates(settings.lake / "models" / task), reverse=True)
    current = (model_folder(settings, task, Known.by(settings, day, day)) for day in dates)
    return next((folder for folder in current if folder.exists()), None)


def score_path(settings: Settings, task: str, known: Known) -> Path:
    """The scores of the business date, by the model in use from its training date on."""
    folder = settings.lake / "scores" / task / f"as_of_date={known.business_date}"
    return folder / f"{known.model_version}-{known.pin_hash}.parquet"


def abstention_path(settings: Settings, task: str, known: Known) -> Path:
    """Why there are no scores of the business date."""
    return settings.lake / "models" / task / "abstentions" / f"{known.business_date}-{known.pin_hash}.json"


def monitoring_path(settings: Settings, task: str, known: Known) -> Path:
    """How far the rows and scores of the business date are from what the model was trained on."""
    return settings.lake / "models" / task / "monitoring" / f"{known.business_date}-{known.pin_hash}.parquet"


def monitored_dates(settings: Settings, task: str) -> set[date]:
    """The business dates that have figures, whatever was known by them."""
    return _dates(settings.lake / "models" / task / "monitoring")


def retraining_path(settings: Settings, task: str, known: Known) -> Path:
    """Why a model is trained out of turn from what was known by the business date; it scores the dates after it."""
    return settings.lake / "models" / task / "retrainings" / f"{known.business_date}-{known.pin_hash}.json"


def in_force(settings: Settings, task: str, known: Known) -> Known:
    """``known`` with the training date moved to the last retraining since, if there was one."""
    dates = _dates(settings.lake / "models" / task / "retrainings")
    since = sorted((day for day in dates if known.trained_on < day < known.business_date), reverse=True)
    due = (day for day in since if retraining_path(settings, task, Known.by(settings, day)).exists())
    if last := next(due, None):
        return Known.by(settings, known.business_date, last)
    return known


def current_scores(lake: Path, pin: Pin) -> Iterator[tuple[str, Path]]:
    """Task and file of every as-of date up to the pin's, of what was known by that date.

    Of the files of one date, that of the newest model counts; among models of one training date, that of what is known
    of it now. Files are named as in `score_path`.
    """
    hash_by = cache(partial(_hash_by, pin))
    for folder in sorted((lake / "scores").glob("*/as_of_date=*")):
        as_of = date.fromisoformat(folder.name.removeprefix("as_of_date="))
        if as_of > pin.business_date:
            continue
        files = {}
        for path in folder.glob(f"[!.]*-{hash_by(as_of)}.parquet"):
            trained_on, trained_hash, _ = path.stem.rsplit("-", 2)
            files[trained_on, trained_hash == hash_by(date.fromisoformat(trained_on)), path.name] = path
        if files:
            yield folder.parent.name, files[max(files)]


def current_monitoring(lake: Path, pin: Pin, first: date) -> Iterator[tuple[str, Path]]:
    """Task and file of every date from ``first`` to the pin's that has figures of what was known by it."""
    hash_by = cache(partial(_hash_by, pin))
    for path in sorted((lake / "models").glob("*/monitoring/[!.]*.parquet")):
        day = date.fromisoformat(path.name[:10])
        if first <= day <= pin.business_date and path.stem == f"{day}-{hash_by(day)}":
            yield path.parents[1].name, path


def _hash_by(pin: Pin, day: date) -> str:
    """Names what was known by an earlier day, of the deliveries that the pin knows."""
    deliveries = tuple(item for item in pin.deliveries if item.outcome.cutoff_date <= day)
    return Pin(day, deliveries, ()).hash


def _dates(folder: Path) -> set[date]:
    """The dates of the files and folders that are named ``<date>-<hash>``."""
    return {date.fromisoformat(path.name[:10]) for path in folder.glob("????-??-??-*")}
