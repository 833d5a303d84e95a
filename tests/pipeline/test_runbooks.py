"""Each alert of the project, raised by what it is about on a real bank; its runbook is followed, and it is over.

One bank runs three days. On the first a required feed is missing; a file is rejected, rows are refused, a feed falls
silent; people take on cases of the workbench, and let one become overdue.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from c360 import alerts, pipeline
from c360.access import add_person
from c360.alerts import Plan
from c360.app.server import create_workbench
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings
from tests.pipeline.bank import copy_of, lines_of
from tests.pipeline.conftest import D1, D2, D3, LAST_OF_HISTORY
from tests.pipeline.test_workbench import csrf_of

pytestmark = [pytest.mark.full, pytest.mark.timeout(1800)]

RULES = alerts.load_alerts()
ACTED_ON = {"large_outflow": "outflow", "watch_list": "early_warning"}  # rules of the workbench, and their kind of case
SILENT, REJECTED, SPOILT = "mall_orders", "rm_contacts", "branch_visits"
FOREVER = date(2099, 12, 31)


def now(bank: Settings, day: date) -> Plan:
    """What the rules find at nine in the morning of a day."""
    zone = load_deployment(bank.deployment).zone
    return alerts.plan(bank, RULES, tuple(RULES.receivers), datetime(day.year, day.month, day.day, 9, tzinfo=zone))


def cases(bank: Settings, day: date) -> Mapping[str, set[str]]:
    """Rule -> its cases."""
    return {rule: {case.name for case in found} for rule, found in now(bank, day).cases.items()}


def told_of(bank: Settings, day: date) -> set[str]:
    """Rules about which a message would be sent."""
    return {message.rule.name for message in now(bank, day).messages}


def c360(bank: Settings, *arguments: str) -> None:
    """A command of a runbook."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("C360_")}
    environment = kept | bank.environment() | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-m", "c360", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


class Day:
    """A delivery of the first day as it was sent, and how it is spoilt."""

    def __init__(self, landing: Path, feed: str) -> None:
        self.folder, self.stem = landing / feed, f"{feed}_{D1}_v1"
        self.manifest = self.folder / f"{self.stem}.manifest.json"
        (self.data,) = [path for path in self.folder.glob(f"{self.stem}.*") if path != self.manifest]
        self.sent = self.data.read_bytes()


def take_on(bank: Settings, due: date) -> dict[str, str]:
    """In the workbench, a first step of one case of each kind; kind -> the case."""
    found = cases(bank, D1)
    taken = {kind: min(found[rule]) for rule, kind in ACTED_ON.items()}
    write_steps(bank, "S2", taken, "called", due)
    return taken


def write_steps(bank: Settings, name: str, taken: Mapping[str, str], step: str, due: date) -> None:
    """What somebody does about cases, in the workbench."""
    with TestClient(create_workbench(bank), headers={"accept-language": "en"}) as client:
        token = add_person(bank.api_tokens, name, "risk_officer", FOREVER)
        client.post("/sign-in", data={"name": name, "token": token})
        for case_id in taken.values():
            form = {"csrf": csrf_of(client.get("/cases")), "case_id": case_id, "due_date": str(due)}
            answer = client.post("/cases/events", data=form | {"do": "step", "step_kind": step})
            assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def troubled(history: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict[str, str]]:
    """The bank before its first day, with what went wrong on it; and the cases that somebody has taken on."""
    folder = tmp_path_factory.mktemp("troubled")
    landing = folder / "landing"
    shutil.copytree(history.landing, landing)
    bank = copy_of(history, folder, landing)
    for day in (D1, D2, D3):
        for path in (landing / SILENT).glob(f"{SILENT}_{day}_*"):
            path.rename(folder / path.name)
    rejected = Day(landing, REJECTED)
    rejected.data.write_bytes(rejected.sent[:-20])
    spoil(bank)
    return bank, take_on(bank, D1)


def test_readers_who_do_not_have_yesterday_are_an_alert_until_they_do(
    troubled: tuple[Settings, dict[str, str]],
) -> None:
    bank, _ = troubled
    assert cases(bank, D1)["publication_late"] == set()
    assert cases(bank, D3)["publication_late"] == {str(LAST_OF_HISTORY)}


def test_cases_of_people_and_drift_are_alerts(troubled: tuple[Settings, dict[str, str]]) -> None:
    bank, taken = troubled
    found = cases(bank, D1)
    for rule, kind in ACTED_ON.items():
        assert taken[kind] in found[rule], "the publish has not taken the step in yet"
    assert found["drift"]
    for case in found["drift"]:
        c360(bank, "alerts", "acknowledge", "drift", case, "--by", "R007", "--why", "month-end", "--at", f"{D1}T09:00")
    assert "drift" not in told_of(bank, D1)


def test_a_step_that_failed_is_an_alert_until_its_date_is_published(troubled: tuple[Settings, dict[str, str]]) -> None:
    bank, _ = troubled
    required = Day(bank.landing, "products")
    kept = required.manifest.rename(required.manifest.with_suffix(".kept"))
    with pytest.raises(Stop, match="required feed products"):
        pipeline.run(bank, D1, D1)
    found = cases(bank, D1)["step_failed"]
    assert len(found) == 1 and str(D1) in next(iter(found))
    kept.rename(required.manifest)
    c360(bank, "run", "--from", str(D1), "--to", str(D2))
    assert cases(bank, D3)["step_failed"] == set()
    assert cases(bank, D3)["publication_late"] == set(), "yesterday is published"


def spoil(bank: Settings) -> None:
    """One row of a small feed is not as its contract says."""
    day = Day(bank.landing, SPOILT)
    lines = lines_of(bank.landing, SPOILT, str(D1))
    columns = lines[0].split("|")
    row = dict(zip(columns, lines[1].split("|"), strict=True)) | {"business_date": "not a day"}
    day.data.write_text("\n".join([lines[0], "|".join(row.values()), *lines[2:], ""]))
    described = json.loads(day.manifest.read_text())
    content = day.data.read_bytes()
    described["files"] = [{"name": day.data.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}]
    day.manifest.write_text(json.dumps(described))
    day.data.with_suffix(".right").write_bytes(day.sent)


def test_what_was_rejected_or_refused_is_an_alert_until_a_better_version_is_in(
    troubled: tuple[Settings, dict[str, str]],
) -> None:
    bank, taken = troubled
    found = cases(bank, D3)
    (refused,) = (case for case in found["delivery_rejected"] if case.startswith(f"{REJECTED}/"))
    assert any(case.startswith(f"{SPOILT}/{D1}/v1") for case in found["reject_rate"])
    for rule, kind in ACTED_ON.items():
        assert taken[kind] not in found[rule], "somebody has taken it on"
    assert set(taken.values()) <= found["case_overdue"], "the next step was due on the first day"
    right = bank.landing / SPOILT / f"{SPOILT}_{D1}_v1.right"
    c360(bank, "land", str(right), "--feed", SPOILT, "--date", str(D1))
    c360(bank, "alerts", "acknowledge", "delivery_rejected", refused, "--by", "R007", "--at", f"{D3}T09:00")
    write_steps(bank, "S3", taken, "agreed", D3 + timedelta(days=9))
    c360(bank, "run", "--from", str(D3))
    found = cases(bank, D3 + timedelta(days=1))
    assert not any(case.startswith(f"{SPOILT}/{D1}/") for case in found["reject_rate"])
    assert not set(taken.values()) & found["case_overdue"], "the next step has a later day"
    assert "delivery_rejected" not in told_of(bank, D3 + timedelta(days=1))


def test_a_silent_feed_is_an_alert_until_it_has_delivered(troubled: tuple[Settings, dict[str, str]]) -> None:
    bank, _ = troubled
    after = D3 + timedelta(days=1)
    assert [case.partition("/")[0] for case in cases(bank, after)["feed_silent"] if case.startswith(SILENT)] == [SILENT]
    for path in bank.landing.parent.glob(f"{SILENT}_*"):
        path.rename(bank.landing / SILENT / path.name)
    c360(bank, "run", "--from", str(D3))
    assert not [case for case in cases(bank, after)["feed_silent"] if case.startswith(SILENT)]
