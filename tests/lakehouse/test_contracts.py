"""Every contract under feeds/ is a valid Open Data Contract Standard document."""

import csv
from pathlib import Path

import pytest
from open_data_contract_standard.model import OpenDataContractStandard

from lakehouse.contracts import load_deployment, load_feeds
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT

FEEDS = sorted((Path(__file__).parents[2] / "feeds").glob("*/*.yml"))


@pytest.mark.parametrize("path", FEEDS, ids=lambda path: path.stem)
def test_contract_is_valid_and_complete(path: Path) -> None:
    contract = OpenDataContractStandard.from_file(str(path))
    assert contract.id == path.stem
    table = contract.schema_[0]
    assert any(column.primaryKey for column in table.properties)
    assert all(column.description for column in table.properties)
    properties = {item.property: item.value for item in contract.customProperties}
    assert {"channel", "delivery", "format", "encoding", "rejectLimit"} <= set(properties)


def test_what_a_bank_does_not_take_in_is_said_with_what_to_do() -> None:
    deployment = load_deployment(PROJECT / "deployments" / "berka.yml")
    assert deployment.takes_in("cards") and not deployment.takes_in("case_events")
    deployment.require("cards")
    with pytest.raises(Stop, match="berka does not take in case_events: add it to `optional` in its file"):
        deployment.require("case_events")


def test_what_may_be_adjusted_is_a_critical_element_and_the_contract_takes_it() -> None:
    def elements(seed: str) -> set[str]:
        with (PROJECT / "dbt_project" / "seeds" / f"{seed}.csv").open(encoding="utf-8", newline="") as file:
            return {row["element"] for row in csv.DictReader(file)}

    (element,) = (column for column in load_feeds()["adjustments"].columns if column.name == "element")
    assert set() < elements("adjustable_elements") <= elements("critical_elements") & set(element.allowed)


def test_a_column_can_differ_only_from_one_that_there_is(tmp_path: Path) -> None:
    contract = (PROJECT / "feeds" / "feedback" / "adjustments.yml").read_text()
    (tmp_path / "feedback").mkdir()
    (tmp_path / "feedback" / "adjustments.yml").write_text(contract.replace("value: prepared_by", "value: maker"))
    with pytest.raises(Stop, match="approved_by: differsFrom names maker, which is no column"):
        load_feeds(tmp_path)
