"""Every command in Chinese, on a bank: no heading and no sentence of ours is left in English."""

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from c360.cli.main import app
from lakehouse import warehouse
from lakehouse.settings import Settings
from tests.c360.test_spoken import SAME, commands
from tests.lakehouse.test_language import CHINESE
from tests.pipeline.bank import copy_of
from tests.pipeline.conftest import D3, Undisturbed

pytestmark = pytest.mark.full  # tests/c360/test_spoken.py holds the code of every command against the list of words

NOT_HERE = {  # commands whose words the test of the code alone looks at, and why
    "run": "a date of the bank",
    "reproduce": "a date of the bank",
    "identity train": "new keys for all customers",
    "identity rehearse": "a date of the bank",
    "secret rotate": "another secret for the bank",
    "simulate": "makes a bank",
    "simulate-intraday": "the bank's files have been taken away",
    "adapt berka": "wants the files of the Berka bank",
    "adapt berka-loans": "wants the files of the Berka bank",
    "adapt csv": "wants a file of another bank",
    "ml new": "writes into the folder of the caller",
    "ml train": "trains",
    "ml score": "prints a path",
    "ml explain": "prints a mapping for a program",
    "ml promote": "decides",
    "accept": "changes what the next run does",
    "retract": "changes what the next run does",
    "land": "changes what the next run does",
    "check": "wants a file",
    "api serve": "answers until it is stopped",
    "app serve": "answers until it is stopped",
    "intraday run": "takes in events",
    "bi serve": "wants Superset",
    "bi import": "wants Superset",
    "alerts acknowledge": "wants an open case",
    "alerts send": "tells receivers",
    "roles apply": "of Postgres",
    "roles verify": "of Postgres",
    "export snapshot": "prints paths alone",
    "export person": "writes the whole record of a person",
    "audit anchor": "prints a head",
    "propose": "asks for a second name",
    "sign": "wants a proposal",
    "erase person": "takes somebody out of the bank",
    "erase proof": "wants an erasure",
    "restore": "makes an installation",
}
ENGLISH = re.compile(r"[A-Za-z]{3,} [a-z]{2,} [a-z]{2,}")  # three words in a row, as only a sentence has them


@pytest.fixture(scope="module")
def bank(day_by_day: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return copy_of(day_by_day.settings, tmp_path_factory.mktemp("languages"))


def calls_of(bank: Settings, folder: Path) -> dict[str, list[str]]:
    """Each command with what it needs."""

    def one(sql: str) -> str:
        return next(iter(warehouse.query_serving(bank, sql).to_pylist()[0].values()))

    key = one("select min(customer_key) as one from marts.customer_360")
    manager = one("select min(rm_id) as one from marts.rm_assignment where is_current")
    records = "select party_key as one from marts.dim_party order by 1 limit 1"
    left, right = one(records), one(f"{records} offset 1")
    where = ["--where", "star_tier >= 2"]
    tag = ["at_work"]
    return {
        "customer": [key],
        "handover": [manager],
        "worklist": [],
        "relocate": [],
        "lineage": ["marts.customer_360.aum_amount"],
        "status": [],
        "restatements": [],
        "verify": [],
        "doctor": [],
        "activate list": [],
        "activate plan": ["worklist_file"],
        "activate send": ["worklist_file"],
        "activate retry": ["worklist_file"],
        "activate receipts": ["worklist_file"],
        "activate changes": ["worklist_file"],
        "alerts list": [],
        "identity chart": ["--out", str(folder / "chart.html")],
        "identity explain": [left, right, "--out", str(folder / "pair.html")],
        "report survival": [],
        "report segments": [],
        "report forecast": [],
        "intraday status": [],
        "api grant": ["crm", "--scope", "customers:read"],
        "api tokens": [],
        "api revoke": ["crm"],
        "app grant": ["S1", "--role", "auditor"],
        "app revoke": ["S1"],
        "bi assets": [str(folder / "assets.zip")],
        "evaluate scores": [],
        "evaluate recommendations": [],
        "evaluate reasons": [],
        "evaluate changes": [],
        "evaluate alerts": ["--truth", str(bank.landing.parent / "truth")],
        "evaluate identity": ["--truth", str(bank.landing.parent / "truth")],
        "metrics list": [],
        "metrics query": ["aum", "--by", "star_tier"],
        "ml evaluate": ["churn"],
        "ml monitor": ["churn"],
        "ml scorecard": ["credit_warning"],
        "audit verify": [],
        "receipt show": [one("select min(action_id) as one from actions.worklist")],
        "receipt verify": ["--date", one("select cast(max(business_date) as varchar) as one from actions.worklist")],
        "proposals": [],
        "backup take": [str(folder / "backups")],
        "backup verify": [str(folder / "backups")],
        "retain": ["--dry-run"],
        "tags list": [],
        "tags show": tag,
        "tags columns": [],
        "tags preview": where,
        "tags save": ["few", *where, "--description", "试", "--owner", "部门", "--expires", "2099-12-31", "--by", "S1"],
        "tags retire": ["few", "--by", "S1"],
        "tags export": [*tag, "--out", str(folder / "tag.csv"), "--by", "S1"],
    }


def headings(text: str) -> list[str]:
    """The cells of the heads of tables."""
    found, heads = [], False
    for line in text.splitlines():
        heads = line.startswith("┏") or (heads and not line.startswith("┡"))
        if heads and line.startswith("┃"):
            found += [cell.strip() for cell in line.strip("┃ ").split("┃") if cell.strip()]
    return found


def test_every_command_speaks_chinese(bank: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = calls_of(bank, tmp_path)
    assert calls.keys() | NOT_HERE.keys() == dict(commands(get_command(app))).keys()
    assert not calls.keys() & NOT_HERE.keys()
    for name, value in bank.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "180")
    left = {}
    for name, arguments in calls.items():
        said = CliRunner().invoke(app, [*name.split(), *arguments, "--lang", "zh"])
        assert said.exit_code in (0, 1), (name, said.output, said.exception)
        bare = [head for head in headings(said.stdout) if not CHINESE.search(head) and head not in SAME]
        bare += [line for line in said.stdout.splitlines() if ENGLISH.search(line) and not CHINESE.search(line)]
        if bare:
            left[name] = bare[:5]
    assert left == {}, D3
