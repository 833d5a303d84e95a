"""What `make security` measures, on planted faults: a value in each kind of file, a licence that may not be."""

import gzip
import time
import zipfile
from datetime import date
from pathlib import Path

import duckdb
import pytest
from packaging.version import Version

from checks.security import advisories, licences
from checks.security.__main__ import Row, bill_of_materials, known_faults, lines_of
from checks.security.bank import CANARY
from checks.security.scanning import open_to_others, scan
from checks.security.shapes import SHAPES

PLANTED = {"name": "欧阳卡娜丽", "phone": "19912345670"}


def _zip(path: Path, text: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("schema.json", text * 3)


def _store(path: Path, text: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create table people as select '{text}' as note from range(5000)")


PACKERS = {
    "page.html": lambda path, text: path.write_text(f"<p>{text}</p>"),
    "old.txt": lambda path, text: path.write_bytes(text.encode("gb18030")),
    "log.gz": lambda path, text: path.write_bytes(gzip.compress(text.encode())),
    "model.skops": _zip,
    "rows.parquet": lambda path, text: duckdb.sql(f"select '{text}' as note, 1 as n").write_parquet(str(path)),
    "store.duckdb": _store,
}


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("value", PLANTED)
def test_a_planted_value_is_found_in_every_kind_of_file(tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / "deep").mkdir()
    PACKERS[name](tmp_path / "deep" / name, "nothing of a person")
    assert scan(tmp_path, PLANTED).finds == ()
    (tmp_path / "deep" / name).unlink()
    PACKERS[name](tmp_path / "deep" / name, f"x {PLANTED[value]} x")
    found = scan(tmp_path, PLANTED)
    assert [(find.path, find.value_name) for find in found.finds] == [(f"deep/{name}", value)]
    assert found.file_count == 1
    assert scan(tmp_path, PLANTED, ["deep/*"]).file_count == 0


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize(
    ("shape", "written"),
    [
        ("an identity number", CANARY["id_no"]),
        ("a mobile number", CANARY["phone"]),
        ("a card number", "6217000000000220"),
        ("a mail address", CANARY["email"]),
    ],
)
def test_what_looks_like_a_persons_is_found_though_nobody_knew_the_value(
    tmp_path: Path, name: str, shape: str, written: str
) -> None:
    PACKERS[name](
        tmp_path / name, " C100000012, 1773100800, 12345678901234567890, 310101199001011235, desk@bank.example "
    )
    assert scan(tmp_path, {}, shapes=SHAPES).finds == ()
    (tmp_path / name).unlink()
    PACKERS[name](tmp_path / name, f"x {written} x")
    found = {find.value_name for find in scan(tmp_path, {}, shapes=SHAPES).finds}
    assert found == {f"looks like {shape}"}


def test_a_page_without_spaces_takes_no_longer_than_another() -> None:
    """A pattern that begins anew at each letter took minutes for what a page brings as one word."""
    one_word, began = 2_000_000 * "a", time.process_time()
    assert not any(is_in(one_word) for is_in in SHAPES.values())
    assert time.process_time() - began < 5


def test_a_copy_of_a_file_that_may_hold_values_may_hold_them_and_no_other_file(tmp_path: Path) -> None:
    for place in ("raw", "backups"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "one").write_text(PLANTED["phone"])
    assert scan(tmp_path, PLANTED, ["raw/*"]).finds == ()
    (tmp_path / "backups" / "one").write_text(PLANTED["phone"] + "\n")
    assert [find.path for find in scan(tmp_path, PLANTED, ["raw/*"]).finds] == ["backups/one"]


def test_a_file_that_others_can_read_is_named_unless_its_folder_is_closed(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir(mode=0o755)
    (tmp_path / "lake" / "rows").touch(mode=0o644)
    assert open_to_others(tmp_path, ["lake/*"]) == ["lake/rows"]
    (tmp_path / "lake").chmod(0o700)
    assert open_to_others(tmp_path, ["lake/*"]) == []
    (tmp_path / "lake").chmod(0o755)
    (tmp_path / "lake" / "rows").chmod(0o600)
    assert open_to_others(tmp_path, ["lake/*"]) == []


def test_licences_that_nobody_has_allowed_are_named() -> None:
    policy = licences.Policy(allowed=["MIT", "Apache"], forbidden=["GPL"], reviewed={"reader": "unchanged"})
    said = {"good": "Apache-2.0", "odd": "Other", "silent": "", "bad": "MIT; GPL-3.0", "reader": "LGPL"}
    judged = {one.name: one for one in licences.judge(said, policy)}
    assert {name: one.verdict for name, one in judged.items()} == {
        "good": "allowed",
        "odd": "unknown",
        "silent": "unknown",
        "bad": "forbidden",
        "reader": "reviewed",
    }
    assert [name for name, one in judged.items() if not one.is_fine] == ["bad", "odd", "silent"]


def test_every_locked_library_may_be_used_and_no_review_is_idle() -> None:
    from checks.security.__main__ import LOCKS

    names, policy = licences.locked(LOCKS), licences.read_policy()
    judged = licences.judge({name: licences.licence_of(name) for name in names}, policy)
    assert [one for one in judged if not one.is_fine] == []
    assert set(policy["reviewed"]) <= set(names)
    plain = licences.Policy(allowed=policy["allowed"], forbidden=policy["forbidden"], reviewed={})
    idle = [name for name in policy["reviewed"] if licences.judge({name: licences.licence_of(name)}, plain)[0].is_fine]
    assert idle == []


def test_the_list_of_libraries_is_whole() -> None:
    row = bill_of_materials()
    assert row.is_fine, row


def test_without_a_database_known_faults_are_not_measured_and_it_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no database here: a program called pip-audit answers as the real one does."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program, how = tmp_path / "pip-audit", "PIP_AUDIT_VULNERABILITY_SERVICE=osv make security"

    def answers(text: str) -> Row:
        program.write_text(f"#!/bin/sh\necho '{text}'\nexit 1\n")
        program.chmod(0o755)
        return known_faults()

    absent = known_faults()
    assert absent.is_fine is None and "is not installed" in absent.measured and how in absent.measured
    unnamed = answers("{}")
    assert unnamed.is_fine is None and "no database is named" in unnamed.measured and how in unnamed.measured
    monkeypatch.setenv("PIP_AUDIT_VULNERABILITY_SERVICE", "osv")
    silent = answers("no route to host")
    assert silent.is_fine is None and "osv did not answer" in silent.measured and how in silent.measured
    fault = '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]}]}'
    assert answers(fault).faults == ("a 1: CVE-1",) and answers(fault).is_fine is False
    assert answers('{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}').is_fine is True


ADVISORY = """
id: PYSEC-2026-1
modified: "2026-11-20T00:00:00Z"
affected:
- package: {name: DuckDB, ecosystem: PyPI}
  ranges:
  - {type: GIT, events: [{introduced: "0"}]}
  - {type: ECOSYSTEM, events: [{introduced: "0"}, {fixed: "%s"}]}
"""


def test_locked_libraries_are_held_against_a_list_of_advisories_on_this_machine(tmp_path: Path) -> None:
    """Of the same file once before and once behind the locked version; an old list cannot say that nothing is wrong."""
    fresh, later = date(2026, 11, 30), date(2026, 12, 31)
    path = tmp_path / "vulns" / "duckdb" / "PYSEC-2026-1.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(ADVISORY % "99.0")
    found = known_faults(tmp_path, fresh)
    (fault,) = found.faults
    assert fault.startswith("duckdb 2.") and fault.endswith("PYSEC-2026-1") and found.is_fine is False
    assert known_faults(tmp_path, later).is_fine is False
    path.write_text(ADVISORY % "1.0")
    nothing = known_faults(tmp_path, fresh)
    assert nothing.is_fine is True and "1 advisories up to 2026-11-20: 0 faults" in nothing.measured
    old = known_faults(tmp_path, later)
    assert old.is_fine is None and old.measured.startswith("NOT MEASURED since")
    assert known_faults(tmp_path / "nothing", fresh).is_fine is None
    path.write_text(ADVISORY % "99.0" + 'withdrawn: "2026-11-21T00:00:00Z"\n')
    assert known_faults(tmp_path, fresh).is_fine is True


def test_versions_are_affected_from_an_introduction_to_the_next_fix() -> None:
    events: list[advisories.Event] = [
        {"fixed": "1.5"},
        {"introduced": "2.0"},
        {"introduced": "1.0"},
        {"last_affected": "2.2"},
    ]
    affected = advisories.Affected(
        package={"name": "a", "ecosystem": "PyPI"},
        ranges=[{"type": "ECOSYSTEM", "events": events}],
        versions=["0.3", "2004d"],
    )
    wrong = [text for text in ("0.2", "0.3.0", "1.0", "1.4.9", "1.5", "1.9", "2.0rc1", "2.1", "2.2", "2.2.1")
             if advisories.is_affected(Version(text), affected)]  # fmt: skip
    assert wrong == ["0.3.0", "1.0", "1.4.9", "2.1", "2.2"]


def test_a_table_names_faults_and_what_was_not_measured() -> None:
    rows = [Row("a", "1 find", False, tuple("abcdefg")), Row("b", "NOT MEASURED: no database", None)]
    lines = list(lines_of(rows))
    assert lines[0] == ("a", "1 find", "FAIL") and lines[-1] == ("b", "NOT MEASURED: no database", "–")
    assert ("", "and 2 more", "") in lines
