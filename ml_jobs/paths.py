"""Where a task's files are in the lake. A name carries the pin of what was known, so content and name agree."""

from datetime import date
from pathlib import Path

from c360 import lake
from c360.settings import Settings
from ml_jobs.months import training_date


def model_version(settings: Settings, trained_on: date) -> str:
    """The training date and what was known by then."""
    return f"{trained_on}-{lake.pin(settings.lake, trained_on).hash}"


def model_folder(settings: Settings, task: str, trained_on: date) -> Path:
    """Holds ``model.skops`` and ``card.json``."""
    return settings.lake / "models" / task / model_version(settings, trained_on)


def newest_model(settings: Settings, task: str) -> Path | None:
    """The model of the latest training date, of what is known by that date now."""
    folders = (settings.lake / "models" / task).glob("????-??-??-*")
    dates = sorted({date.fromisoformat(folder.name[:10]) for folder in folders}, reverse=True)
    current = (model_folder(settings, task, trained_on) for trained_on in dates)
    return next((folder for folder in current if folder.exists()), None)


def score_path(settings: Settings, task: str, business_date: date) -> Path:
    """The scores of the date, by the model of its training date."""
    known = lake.pin(settings.lake, business_date).hash
    name = f"{model_version(settings, training_date(business_date))}-{known}.parquet"
    return settings.lake / "scores" / task / f"as_of_date={business_date}" / name


def abstention_path(settings: Settings, task: str, business_date: date) -> Path:
    """Why there are no scores of the date."""
    known = lake.pin(settings.lake, business_date).hash
    return settings.lake / "models" / task / "abstentions" / f"{business_date}-{known}.json"
