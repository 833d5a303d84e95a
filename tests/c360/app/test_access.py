"""The table of permissions, and what each role sees of a publish."""

import stat
from datetime import date
from pathlib import Path

import pytest

from c360.access import SCOPES, Grant, Register, add_person, add_token, hash_of, load_roles, revoke_token
from c360.api import resources
from c360.api.sight import WORKLIST, cut_of, own_filter, sees_customer, sees_place
from lakehouse.errors import Stop
from tests.c360.app.small import ACTIONS, CUSTOMERS, small_publish

FOREVER = date(9999, 1, 1)
PLACES = {"branch": {"branch_code": "B1"}, "own": {"rm_id": "R1"}}
SEEN = {  # by role
    "relationship_manager": {"cif:1"},
    "branch_manager": {"cif:1", "cif:2", "cif:5"},
    "branch_reader": {"cif:1", "cif:2", "cif:5"},
    "call_centre": {"cif:2", "lead:4"},
    "clerk": set(),
    "business_analyst": set(),
    "operator": set(),
    "risk_officer": {key for key, *_ in CUSTOMERS},
    "privacy_officer": {key for key, *_ in CUSTOMERS},
    "auditor": {key for key, *_ in CUSTOMERS},
}


def person(role: str) -> Grant:
    return Grant("S1", (), FOREVER, role, **PLACES.get(load_roles()[role].sees, {}))


def test_the_scopes_of_the_api_are_in_the_table() -> None:
    assert {resources.CUSTOMERS, resources.SCORES, resources.ACTIONS, resources.METRICS} < set(SCOPES)
    assert load_roles().keys() == SEEN.keys()


@pytest.mark.parametrize("role", load_roles())
def test_a_role_sees_its_customers_and_no_others(role: str) -> None:
    shown = small_publish()
    seen = {key for key, *_ in CUSTOMERS if sees_customer(person(role), shown, key)}
    assert seen == SEEN[role]
    cut = cut_of(person(role), shown)
    assert (cut is None) == (load_roles()[role].sees == "all")
    assert cut is None or cut.customers == seen
    assert not sees_customer(person(role), shown, "cif:nobody")


@pytest.mark.parametrize("role", [name for name, role in load_roles().items() if role.sees != "none"])
def test_the_filter_of_a_list_gives_what_a_person_sees_one_by_one(role: str) -> None:
    shown, who = small_publish(), person(role)
    columns = list(shown.columns[WORKLIST.name])
    seen = [row for row in shown.rows(WORKLIST, {}, columns) if sees_place(who, row)]
    assert shown.rows(WORKLIST, own_filter(who), columns) == seen
    assert len(seen) < len(ACTIONS) or who.role.sees == "all"


def test_nobody_sees_what_has_no_branch_by_having_none() -> None:
    nowhere = Grant("S1", (), FOREVER, "branch_reader")
    assert not sees_place(nowhere, {"branch_code": None})
    cut = cut_of(nowhere, small_publish())
    assert cut is not None
    assert cut.customers == frozenset()
    unmanaged = Grant("S1", (), FOREVER, "relationship_manager")
    assert not sees_place(unmanaged, {"rm_id": None})


def test_a_person_needs_what_the_role_sees(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    with pytest.raises(Stop, match="no role king"):
        add_person(path, "S1", "king", FOREVER)
    with pytest.raises(Stop, match="branch_manager needs --branch"):
        add_person(path, "S1", "branch_manager", FOREVER)
    with pytest.raises(Stop, match="auditor takes no --manager"):
        add_person(path, "S1", "auditor", FOREVER, rm_id="R1")
    token = add_person(path, "S1", "branch_manager", FOREVER, "B1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in path.read_text()
    with pytest.raises(Stop, match="S1 has a token"):
        add_token(path, "S1", ("customers:read",), FOREVER)


def test_a_grant_ends_when_it_is_taken_back_or_over(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    token = add_person(path, "S1", "branch_manager", date(2026, 1, 5), "B1")
    register = Register(path)
    assert register.find(hash_of(token), date(2026, 1, 5)).branch_code == "B1"
    assert register.find(hash_of(token), date(2026, 1, 6)) is None
    revoke_token(path, "S1")
    assert register.find(hash_of(token), date(2026, 1, 5)) is None


def test_who_has_a_role_that_is_gone_may_nothing() -> None:
    assert not any(Grant("S1", (), FOREVER, "king").may(scope) for scope in SCOPES)
