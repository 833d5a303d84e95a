"""The page "What a bank sets" misses no setting, seed, limit, variable or gate, and names none that is no more."""

import re
from dataclasses import fields

import pytest
import yaml

from c360.doctor import OTHER_VARIABLES
from lakehouse.contracts import Deployment
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse.seeds import load_seeds
from tests.docs.pages import Page

PAGE = Page(PROJECT / "docs" / "SETTINGS.md")


def section(title: str) -> set[str]:
    """What stands between backticks below a heading, down to the next one."""
    lines = PAGE.path.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0].splitlines()
    return {span for line in lines if line.startswith("|") for span in re.findall(r"`([^`]+)`", line)}


def contract_properties() -> set[str]:
    """Every property that a contract of the project has, beyond names, types and descriptions."""
    found: set[str] = {"minimum", "maximum"}
    for path in (PROJECT / "feeds").glob("*/*.yml"):
        contract = yaml.safe_load(path.read_text())
        (table,) = contract["schema"]
        for item in (contract, *table["properties"]):
            found |= {custom["property"] for custom in item.get("customProperties", [])}
        found |= {item["property"] for item in contract["slaProperties"]}
    return found - {"tokenise", "normalise", "mayBeAbsent"}  # of the format, not limits: CONTRACTS.md has them


SEEDS = load_seeds().values()
EXPECTED: dict[str, set[str]] = {
    "Settings": {f"C360_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES,
    "The deployment": {field.name for field in fields(Deployment)},
    "Limits of a feed": contract_properties(),
    "Seeds": {seed.name for seed in SEEDS} | {row for s in SEEDS if s.key == ("threshold",) for row in s.needed},
    "Variables of dbt": set(yaml.safe_load((PROJECT / "dbt_project" / "dbt_project.yml").read_text())["vars"]),
    "Gates": {path.stem for path in (PROJECT / "expectations" / "suites").glob("*.yml")},
}


@pytest.mark.parametrize("title", EXPECTED)
def test_nothing_is_missing(title: str) -> None:
    assert EXPECTED[title] - section(title) == set()


@pytest.mark.parametrize("title", ["Seeds", "Variables of dbt", "Gates"])
def test_nothing_is_named_that_is_no_more(title: str) -> None:
    assert section(title) - EXPECTED[title] - {"currency"} == set()


def test_every_limit_of_a_seed_is_asked_for() -> None:
    """A threshold that the YAML does not ask for would be missed by nobody."""
    for seed in SEEDS:
        if seed.key == ("threshold",):
            lines = seed.path.read_text(encoding="utf-8").splitlines()[1:]
            assert {line.partition(",")[0] for line in lines} == set(seed.needed), seed.name
