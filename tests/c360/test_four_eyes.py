"""What overrides a rule or changes one has no effect until a second person signs it."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from c360 import four_eyes
from c360.audit import note_rules
from c360.cli.main import app
from lakehouse import ingestion
from lakehouse.errors import Stop
from lakehouse.lake import audit, is_day_accepted
from lakehouse.settings import PROJECT, Settings
from tests.conftest import temporary_settings

DAY = date(2026, 1, 5)
ONE, OTHER, WHY = "S0042", "S0043", "as the committee decided"


@pytest.fixture
def bank(tmp_path: Path) -> Settings:
    """A bank of several people, whose rules a run has seen."""
    declared = (PROJECT / "deployments" / "simulated.yml").read_text()
    kept = [line for line in declared.splitlines() if not line.startswith("four_eyes")]
    (tmp_path / "bank.yml").write_text("\n".join(kept))
    settings = temporary_settings(tmp_path, deployment=tmp_path / "bank.yml")
    note_rules(settings, "first run")
    return settings


def change(settings: Settings, text: str) -> None:
    """Another limit in a file of rules."""
    with settings.deployment.open("a") as file:
        file.write(f"\n# {text}\n")


def test_the_first_run_of_a_bank_takes_its_rules_as_they_are(bank: Settings) -> None:
    four_eyes.require_signed_rules(bank)
    rules = {record["subject"]: record for record in audit.read(bank.lake) if record["kind"] == "rule"}
    assert {"deployment", "alerts", "four_eyes", "dbt_project/seeds/contact_limits.csv"} <= rules.keys()
    assert {"ml_jobs/tasks/churn.yml", "c360/access/roles.yml"} <= rules.keys()
    assert note_rules(bank, "second run") == [], "what has not changed is no event"


def test_a_changed_rule_holds_the_run_back_until_a_second_person_signs_it(bank: Settings) -> None:
    change(bank, "one contact more")
    with pytest.raises(Stop, match=r"^deployment: changed"):
        four_eyes.require_signed_rules(bank)
    made = four_eyes.propose(bank, "rule", "deployment", ONE, WHY)
    with pytest.raises(Stop, match=r"^deployment: changed"):
        four_eyes.require_signed_rules(bank)
    with pytest.raises(Stop, match="somebody else"):
        four_eyes.sign(bank, made.number, f" {ONE.lower()} ", WHY)
    four_eyes.sign(bank, made.number, OTHER, WHY)
    four_eyes.require_signed_rules(bank)
    before = four_eyes.changed_rules(bank)["deployment"]
    assert note_rules(bank, "second run") == ["deployment"]
    *_, last = audit.read(bank.lake)
    assert (last["kind"], last["subject"], (last["old"], last["new"])) == ("rule", "deployment", before)


def test_what_changes_after_it_was_proposed_has_to_be_proposed_anew(bank: Settings) -> None:
    change(bank, "one contact more")
    made = four_eyes.propose(bank, "rule", "deployment", ONE, WHY)
    change(bank, "and two")
    with pytest.raises(Stop, match="not what was proposed"):
        four_eyes.sign(bank, made.number, OTHER, WHY)
    signed = four_eyes.propose(bank, "rule", "deployment", ONE, WHY)
    four_eyes.sign(bank, signed.number, OTHER, WHY)
    change(bank, "and three")
    with pytest.raises(Stop, match=r"^deployment: changed"):
        four_eyes.require_signed_rules(bank)


def test_that_two_names_are_given_up_needs_two_names(bank: Settings) -> None:
    change(bank, "a bank of one person")
    bank.deployment.write_text(bank.deployment.read_text() + "four_eyes: false\n")
    assert not four_eyes.is_on(bank)
    with pytest.raises(Stop, match=r"^deployment: changed"):
        four_eyes.require_signed_rules(bank)
    made = four_eyes.propose(bank, "rule", "deployment", ONE, WHY)
    four_eyes.sign(bank, made.number, OTHER, WHY)
    four_eyes.require_signed_rules(bank)
    note_rules(bank, "second run")
    change(bank, "from now on one name is enough")
    four_eyes.require_signed_rules(bank)


OVERRIDES: dict[str, Callable[[Settings], object]] = {
    "a day without deliveries": lambda bank: ingestion.accept_silence(bank, DAY, ONE, WHY),
    "a delivery that looks wrong": lambda bank: ingestion.accept(bank, "accounts/2026-01-05/v1", ONE, WHY),
    "a delivery that is taken back": lambda bank: ingestion.retract(bank, "accounts/2026-01-05/v1", ONE, WHY),
}


@pytest.mark.parametrize("what", OVERRIDES)
def test_an_override_with_one_name_is_refused(bank: Settings, what: str) -> None:
    with pytest.raises(Stop, match="two names"):
        OVERRIDES[what](bank)


def test_an_override_takes_effect_with_the_second_name_and_has_both(bank: Settings) -> None:
    made = four_eyes.propose(bank, "acceptance", str(DAY), ONE, WHY)
    assert not is_day_accepted(bank.lake, DAY)
    four_eyes.sign(bank, made.number, OTHER, "I asked the branch")
    assert is_day_accepted(bank.lake, DAY)
    kept = json.loads((bank.lake / "acceptances" / "days" / f"{DAY}.json").read_text())
    assert kept == {"by": ONE, "why": WHY, "signed_by": OTHER}


def test_names_and_reasons_are_needed_and_subjects_must_be_there(bank: Settings) -> None:
    with pytest.raises(Stop, match="name and a reason"):
        four_eyes.propose(bank, "acceptance", str(DAY), " ", WHY)
    with pytest.raises(Stop, match="has not changed"):
        four_eyes.propose(bank, "rule", "deployment", ONE, WHY)
    with pytest.raises(Stop, match="no model"):
        four_eyes.propose(bank, "promotion", "churn", ONE, WHY)
    with pytest.raises(Stop, match="no key of its own"):
        four_eyes.propose(bank, "rekey", "cif:1", ONE, WHY)


def test_the_commands(bank: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bank.environment().items():
        monkeypatch.setenv(name, value)
    run = CliRunner().invoke
    names = ["--by", ONE, "--why", WHY]
    assert "two names" in run(app, ["identity", "train"]).output
    assert "c360 sign 1" in run(app, ["propose", "acceptance", str(DAY), *names]).output
    assert run(app, ["sign", "1", *names]).exit_code == 1
    assert run(app, ["sign", "1", "--by", OTHER, "--why", WHY]).exit_code == 0
    (listed,) = json.loads(run(app, ["proposals", "--json"]).output)["proposals"]
    assert (listed["by"], listed["signature"]["by"]) == (ONE, OTHER)
    assert run(app, ["audit", "verify"]).exit_code == 0
