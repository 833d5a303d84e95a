"""File names carry what was known by the business date and by the month-end whose model scores it."""

from datetime import date

from lakehouse.lake import pin
from lakehouse.lake.model_files import (
    Known,
    current_monitoring,
    current_scores,
    model_folder,
    monitored_dates,
    monitoring_path,
    newest_model,
    score_path,
)
from tests.ml_jobs.made_up import deliver


def test_both_pins_are_those_of_the_lake(settings):
    for day, period in (
        (date(2025, 12, 31), "2025-12"),
        (date(2026, 1, 1), "2026-01-01"),
        (date(2026, 1, 2), "2026-01-02"),
    ):
        deliver(settings, day, period)
    known = Known.by(settings, date(2026, 1, 1))
    assert known.trained_on == date(2025, 12, 31)
    assert known.pin_hash == pin(settings.lake, date(2026, 1, 1)).hash
    assert known.model_version == f"2025-12-31-{pin(settings.lake, date(2025, 12, 31)).hash}"


def test_the_newest_model_is_one_of_what_is_known_now(settings):
    assert newest_model(settings, "churn") is None
    deliver(settings, date(2025, 11, 30), "2025-11")
    older = model_folder(settings, "churn", Known.by(settings, date(2025, 11, 30)))
    older.mkdir(parents=True)
    newer = model_folder(settings, "churn", Known.by(settings, date(2025, 12, 31)))
    newer.mkdir()
    assert newest_model(settings, "churn") == newer
    deliver(settings, date(2025, 12, 31), "2025-12")  # what was known by the newer training date is another thing now
    assert newest_model(settings, "churn") == older
    (newer.parent / ".2026-01-31-abc.123.tmp").mkdir()
    assert newest_model(settings, "churn") == older


def test_scores_and_figures_are_read_back_by_their_names_until_what_was_known_changes(settings):
    day = date(2026, 1, 1)
    deliver(settings, date(2025, 12, 31), "2025-12")
    deliver(settings, day, "2026-01-01")
    known = Known.by(settings, day)
    scores, figures = score_path(settings, "churn", known), monitoring_path(settings, "churn", known)
    for path in (scores, figures):
        path.parent.mkdir(parents=True)
        path.touch()
    assert list(current_scores(settings.lake, pin(settings.lake, day))) == [("churn", scores)]
    assert list(current_monitoring(settings.lake, pin(settings.lake, day), day)) == [("churn", figures)]
    assert monitored_dates(settings, "churn") == {day}
    deliver(settings, day, "2026-01-02")
    assert list(current_scores(settings.lake, pin(settings.lake, day))) == []
    assert list(current_monitoring(settings.lake, pin(settings.lake, day), day)) == []
