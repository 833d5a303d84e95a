"""What is older than the deployment keeps goes by business date, is told, and is missed by nobody."""

import json
from datetime import date
from pathlib import Path

import pytest
import yaml

from lakehouse import lake, retention
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.lake import audit
from lakehouse.lake.dates import landed_dates
from lakehouse.lake.integrity import verify
from lakehouse.lake.linked import beginning, linked
from lakehouse.lake.running import working
from lakehouse.settings import PROJECT
from tests.conftest import temporary_settings
from tests.lakehouse.ingestion.bank import CUSTOMER, DAY, Bank, postings

LATER = date(2026, 4, 30)  # 115 days after `DAY`


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    """A bank that took in two feeds, has a delivery that waits, and was looked at on two dates."""
    deployment = yaml.safe_load((PROJECT / "deployments" / "simulated.yml").read_text())
    deployment["retention"] = {"landing": 90, "customers": 120, "page_views": 92}
    (tmp_path / "bank.yml").write_text(yaml.safe_dump(deployment))
    bank = Bank(replace_deployment(temporary_settings(tmp_path), tmp_path / "bank.yml"))
    bank.deliver("customers", [CUSTOMER])
    bank.deliver("transactions", postings({}))
    for feed in ("customers", "transactions"):
        bank.ingest(feed)
    bank.deliver("transactions", postings({"amount": "13.00"}), version=2)
    for day in (DAY, "2026-04-29"):
        folder = bank.settings.lake / "page_views" / day
        folder.mkdir(parents=True)
        (folder / "server.jsonl").write_text(linked({"customer_key": "cif:C1"}, beginning("server.jsonl"))[0])
    return bank


def replace_deployment(settings, path: Path):
    return settings.model_copy(update={"deployment": path})


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_what_is_too_old_goes_and_what_waits_or_is_kept_longer_stays(bank: Bank) -> None:
    settings = bank.settings
    before, dates = names(settings.landing), landed_dates(settings.landing)
    looked = retention.look_at(settings, LATER)
    assert names(settings.landing) == before, "to look removes nothing"
    assert retention.retain(settings, LATER, "S0042") == looked
    gone = before - names(settings.landing)
    assert gone == {Path(one.file).name for one in looked if one.place == "landing"}
    assert len(gone) == 2 and all(name.startswith(f"transactions_{DAY}_v1") for name in gone)
    assert [folder.name for folder in (settings.lake / "page_views").iterdir() if any(folder.iterdir())] == [
        "2026-04-29"
    ]
    assert landed_dates(settings.landing) == dates
    assert not verify(settings).changed and audit.verify(settings.lake).is_whole
    assert [one.outcome for one in bank.ingest("transactions")] == ["replaced"]
    assert lake.read_outcomes(settings.lake)


def test_it_is_told_once_and_a_call_that_was_killed_is_made_again(bank: Bank) -> None:
    settings = bank.settings
    looked = retention.look_at(settings, LATER)
    (settings.lake / "page_views" / DAY / "server.jsonl").rename(settings.lake.parent / "kept")
    told = retention.retain(settings, LATER, "S0042")
    (settings.lake.parent / "kept").rename(settings.lake / "page_views" / DAY / "server.jsonl")
    again = retention.retain(settings, LATER, "S0042")
    assert told != again and sorted(again, key=str) == sorted(looked, key=str)
    assert retention.retain(settings, LATER, "S0042") == again
    record = json.loads((settings.lake / "retentions" / f"{LATER}.json").read_text())
    assert record["by"] == "S0042" and len(record["files"]) == len(looked)
    assert "cif:C1" not in json.dumps(record)


def test_nothing_goes_while_a_run_is_at_work(bank: Bank) -> None:
    with working(bank.settings.lake, "build"), pytest.raises(Stop, match="build is at work"):
        retention.retain(bank.settings, LATER, "S0042")


@pytest.mark.parametrize("wrong", [{"landings": 3}, {"landing": 0}, {"page_views": 30}, {"customers": "long"}])
def test_a_rule_that_means_nothing_is_refused(bank: Bank, wrong: dict[str, object]) -> None:
    path = bank.settings.deployment
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"retention": wrong}))
    with pytest.raises(Stop, match=f"retention of {next(iter(wrong))}"):
        load_deployment(path)


def test_without_a_rule_all_stays(bank: Bank) -> None:
    settings = replace_deployment(bank.settings, PROJECT / "deployments" / "simulated.yml")
    assert retention.look_at(settings, date(2099, 1, 1)) == []
