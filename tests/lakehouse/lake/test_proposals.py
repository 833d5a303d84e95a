"""What one person proposes has no effect until another signs it, once, as it was proposed."""

import json
from datetime import date
from pathlib import Path

import pytest

from lakehouse.errors import Stop
from lakehouse.lake import Decision, audit
from lakehouse.lake.proposals import find, propose, read, sign, signed

ONE, OTHER = Decision("S0042", "the branch merged"), Decision("S0043", "seen")
DAY = date(2026, 1, 6)


def is_signed(lake: Path, day: date = DAY) -> bool:
    return [one.content for one in signed(lake, "promotion", "churn", day)] == ["2026-01-31-0a"]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    propose(tmp_path, "promotion", "churn", "2026-01-31-0a", ONE)
    return tmp_path


def test_a_proposal_counts_from_the_day_after_it_was_signed(lake: Path) -> None:
    assert not is_signed(lake)
    assert find(lake, 1).signature is None
    sign(lake, 1, OTHER, DAY)
    assert is_signed(lake)
    assert not is_signed(lake, date(2026, 1, 5)), "what was decided before stays as it was"
    assert find(lake, 1).signature is not None


@pytest.mark.parametrize("name", ["S0042", "s0042", " S 0042 "])
def test_the_same_name_twice_is_refused(lake: Path, name: str) -> None:
    with pytest.raises(Stop, match="somebody else"):
        sign(lake, 1, Decision(name, "me too"), DAY)
    assert not is_signed(lake)


def test_a_signature_is_given_once_and_only_under_what_there_is(lake: Path) -> None:
    sign(lake, 1, OTHER, DAY)
    with pytest.raises(Stop, match="is signed"):
        sign(lake, 1, Decision("S0044", "again"), DAY)
    with pytest.raises(Stop, match="no proposal 2"):
        sign(lake, 2, OTHER, DAY)


def test_what_was_changed_after_it_was_signed_stops(lake: Path) -> None:
    sign(lake, 1, OTHER, DAY)
    path = lake / "proposals" / "000001.json"
    path.write_text(path.read_text().replace("2026-01-31-0a", "2026-02-28-0b"))
    with pytest.raises(Stop, match="not what was signed"):
        read(lake)


def test_a_signature_with_the_name_of_the_proposal_stops(lake: Path) -> None:
    sign(lake, 1, OTHER, DAY)
    path = lake / "proposals" / "000001.signed.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"by": "s0042"}))
    with pytest.raises(Stop, match="proposed it"):
        read(lake)


def test_both_names_are_in_the_audit_and_the_reasons_by_their_digest(lake: Path) -> None:
    sign(lake, 1, OTHER, DAY)
    audit.seal(lake)
    proposed, given, *files = audit.read(lake)
    assert (proposed["kind"], proposed["by"], proposed["subject"]) == ("proposal", "S0042", "churn")
    assert proposed["detail"] == "1: promotion 2026-01-31-0a"
    assert (given["kind"], given["by"]) == ("signature", "S0043")
    assert {one["subject"] for one in files} == {"proposals/000001.json", "proposals/000001.signed.json"}
    (lake / "proposals" / "000001.signed.json").unlink()
    assert "is gone" in str(audit.verify(lake).breaks[0])
