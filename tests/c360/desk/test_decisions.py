"""What a clerk decides becomes a delivery, in which the last word on a pair counts."""

from datetime import date
from pathlib import Path

import pytest

from c360.desk import FEED, decide, decisions
from lakehouse.errors import Stop
from lakehouse.ingestion import additions, ingest_feed
from lakehouse.settings import PROJECT, Settings
from tests.conftest import temporary_settings

DAY, NEXT = date(2026, 1, 5), date(2026, 1, 6)


def test_a_decision_lands_with_its_name_and_a_later_one_corrects_it(settings: Settings) -> None:
    decide(settings, DAY, "online:U1", "cif:C1", "same", "S1", "papers | compared\nat the counter")
    decide(settings, DAY, "cif:C2", "cif:C3", "different", "S1", "two persons")
    ingest_feed(settings, FEED, DAY)
    decide(settings, DAY, "cif:C1", "online:U1", "withdrawn", "S2", "wrong file")
    found = decisions(settings)
    assert found.keys() == {("cif:C1", "online:U1"), ("cif:C2", "cif:C3")}
    last = found["cif:C1", "online:U1"]
    assert (last.kind, last.decided_by, last.note, last.day) == ("withdrawn", "S2", "wrong file", DAY)
    (outcome,) = ingest_feed(settings, FEED, DAY)
    assert (outcome.version, outcome.rows_loaded, outcome.rows_quarantined) == (3, 3, 0)
    decide(settings, NEXT, "cif:C1", "online:U1", "same", "S1", "seen again")
    assert decisions(settings)["cif:C1", "online:U1"].kind == "same"


def test_decisions_are_read_again_when_a_file_has_come_and_not_before(settings: Settings) -> None:
    seen = [additions.state_of(settings, FEED)]
    for change in (
        lambda: decide(settings, DAY, "cif:C1", "cif:C2", "same", "S1", "papers compared"),
        lambda: ingest_feed(settings, FEED, DAY),
        lambda: decide(settings, DAY, "cif:C1", "cif:C2", "different", "S1", "two persons"),
    ):
        change()
        seen.append(additions.state_of(settings, FEED))
        assert additions.state_of(settings, FEED) == seen[-1], "nothing has come"
    assert len(set(seen)) == len(seen)


def test_the_desk_has_the_last_word_of_a_day_whatever_ids_others_give(settings: Settings) -> None:
    row = {"decision_id": "zzz", "business_date": str(DAY), "decision": "different", "decided_by": "CRM", "note": ""}
    with additions.adding(settings, FEED):
        additions.add(settings, FEED, DAY, [row | {"left_party_key": "cif:C1", "right_party_key": "cif:C2"}])
    for kind in ("same", "withdrawn", "same"):
        decide(settings, DAY, "cif:C1", "cif:C2", kind, "S1", "papers compared")
        assert decisions(settings)["cif:C1", "cif:C2"].kind == kind


def test_what_nobody_signs_or_no_run_takes_in_is_no_decision(settings: Settings, tmp_path: Path) -> None:
    for kind, by, why, problem in (
        ("same", "", "papers", "needs a name"),
        ("same", "S1", " ", "needs a name"),
        ("perhaps", "S1", "papers", "perhaps is no decision"),
    ):
        with pytest.raises(Stop, match=problem):
            decide(settings, DAY, "cif:C1", "cif:C2", kind, by, why)
    branch_only = temporary_settings(tmp_path / "berka", deployment=PROJECT / "deployments" / "berka.yml")
    with pytest.raises(Stop, match="does not take in identity_decisions"):
        decide(branch_only, DAY, "cif:C1", "cif:C2", "same", "S1", "papers")
    assert not settings.landing.exists()
