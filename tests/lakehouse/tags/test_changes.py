"""A definition, a new version and a retirement are rows of deliveries: none is changed, none is lost."""

import shutil
from datetime import date
from typing import Any

import duckdb
import pytest

from lakehouse import lake
from lakehouse.errors import Stop
from lakehouse.ingestion import ingest_feed
from lakehouse.settings import Settings
from lakehouse.tags import Definition, Misfit, condition_of, handed_in, retire, save, told

DAY, NEXT = date(2026, 1, 30), date(2026, 1, 31)


def defined(tag: str = "affluent", **parts: Any) -> Definition:
    given = {
        "tag": tag,
        "description": 'Rich | "by app"',
        "owner": "wealth desk",
        "conditions": (condition_of("star_tier >= 5"),),
        "expires_date": date(2026, 6, 30),
    }
    return Definition.of(**(given | parts))


def in_lake(settings: Settings, day: date) -> list[tuple]:
    """What is known of tags by a day, from the lake's files."""
    current = [one for one in lake.pin(settings.lake, day).of("tag_definitions") if one.superseded_date is None]
    files = [str(one.outcome.rows_path(settings.lake)) for one in current]
    columns = "tag, version, change_kind, business_date, description, changed_by, note"
    return duckdb.sql(f"select {columns} from read_parquet({files}) order by 1, 2").fetchall() if files else []


def test_versions_and_retirement_are_deliveries_that_hold_all_of_their_day(settings: Settings) -> None:
    assert save(settings, defined(), DAY, "S0042", "spring").version == 1
    assert save(settings, defined("quiet"), DAY, "S0043").version == 1
    ingest_feed(settings, "tag_definitions", DAY)
    shutil.rmtree(settings.landing)  # it is emptied after some days: the lake has what came
    assert save(settings, defined(matching="any"), DAY, "S0042").version == 2
    assert retire(settings, "affluent", NEXT, "S0044", "offer is over").version == 3
    assert [(one.tag, one.version, one.change_kind) for one in handed_in(settings)] == [
        ("affluent", 1, "save"),
        ("quiet", 1, "save"),
        ("affluent", 2, "save"),
        ("affluent", 3, "retire"),
    ]
    ingest_feed(settings, "tag_definitions", NEXT)
    text = 'Rich | "by app"'
    first_day = [
        ("affluent", 1, "save", DAY, text, "S0042", "spring"),
        ("affluent", 2, "save", DAY, text, "S0042", None),
        ("quiet", 1, "save", DAY, text, "S0043", None),
    ]
    assert in_lake(settings, DAY) == first_day
    retired = ("affluent", 3, "retire", NEXT, text, "S0044", "offer is over")
    assert in_lake(settings, NEXT) == [*first_day[:2], retired, first_day[2]]
    assert save(settings, defined(), NEXT, "S0042").version == 4  # it comes back


def test_who_changes_what_somebody_else_has_changed_is_told(settings: Settings) -> None:
    assert save(settings, defined(), DAY, "S0042", after=0).version == 1
    for version in (0, 2):
        with pytest.raises(Misfit) as misfit:
            save(settings, defined(owner="other desk"), DAY, "S0043", after=version)
        assert (misfit.value.part, misfit.value.reason, misfit.value.given) == ("tag", "changed", "1")
    assert save(settings, defined(owner="other desk"), DAY, "S0043", "why", after=1).version == 2
    later = told(settings)
    assert [(one.version, one.owner, one.changed_by, one.note) for one in later] == [
        (1, "wealth desk", "S0042", ""),
        (2, "other desk", "S0043", "why"),
    ]
    assert told(settings, after=DAY) == []


def test_what_cannot_count_is_refused_and_nothing_lands(settings: Settings) -> None:
    for definition, by, word in (
        (defined(conditions=(condition_of("star_teir >= 5"),)), "S0042", "star_teir"),
        (defined(expires_date=date(2026, 1, 1)), "S0042", "give a later day"),
        (defined(), " ", "--by"),
    ):
        with pytest.raises(Stop, match=word):
            save(settings, definition, DAY, by)
    with pytest.raises(Stop, match="there is no tag affluent"):
        retire(settings, "affluent", DAY, "S0042")
    with pytest.raises(Stop, match="tag: "):
        defined("Not A Name")
    assert not settings.landing.exists()
