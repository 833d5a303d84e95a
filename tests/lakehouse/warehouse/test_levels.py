"""Security levels go with the values; what is too high for its schema or a role is not published."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import sqlglot
import yaml
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

from c360.access import load_rights
from lakehouse import warehouse
from lakehouse.contracts import LEVELS, load_feeds
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse import derivation, levels
from lakehouse.warehouse.derivation import Lineage, read_lineage
from lakehouse.warehouse.levels import Levels, Rule, Rules
from lakehouse.warehouse.publication import SCHEMAS, CannotPublish
from lakehouse.warehouse.rights import Right, Rights
from tests.conftest import parsed, temporary_settings
from tests.lakehouse.warehouse.built import Built

DAY = date(2026, 3, 1)
WITHIN = dict.fromkeys(SCHEMAS, "sensitive")
MADE = {
    "build_intermediate.i.born": {"customers.birth_date"},
    "build_intermediate.i.spent": {"transactions.amount", "build_seeds.transfer_prices.fee_rate"},
    "marts.t.born": {"build_intermediate.i.born"},
    "marts.t.mixed": {"build_intermediate.i.spent", "build_intermediate.i.born", "marts.t.mixed"},
    "marts.t.spent": {"build_intermediate.i.spent"},
    "marts.t.token": {"customers.phone_token"},
    "marts.t.day": {"customers._known_date", "holidays.holiday_name"},
    "marts.t.row_count": set(),
    "marts.t.strange": {"raw.unheard_of.value"},
    "scores.s.probability": {"raw.scores.probability", "marts.t.spent"},
}


def lineage(**more: set[str]) -> Lineage:
    """What is made of what, and tokens as ingestion makes them."""
    columns = {name: frozenset(sources) for name, sources in (MADE | more).items()}
    return Lineage(derivation.tokens() | columns)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Lineage:
    """That of the project as it stands."""
    return read_lineage(parsed(temporary_settings(tmp_path_factory.mktemp("levels"))))


def test_a_column_has_the_highest_level_of_its_sources() -> None:
    found = levels.levels_of(lineage(), Rules(WITHIN)).of
    assert found == {
        "marts.t.born": "important",
        "marts.t.mixed": "important",
        "marts.t.spent": "sensitive",
        "marts.t.token": "important",
        "marts.t.day": "general",
        "marts.t.row_count": "general",
        "marts.t.strange": "important",  # of a source that nobody has judged
        "scores.s.probability": "sensitive",
    }


def test_a_reviewed_rule_lowers_a_column_and_what_is_made_of_it() -> None:
    rules = Rules(WITHIN, (Rule(("build_intermediate.i.born", "customers.*_token"), "a band", "officer", "sensitive"),))
    found = levels.levels_of(lineage(), rules)
    assert {found.of[f"marts.t.{name}"] for name in ("born", "mixed", "token")} == {"sensitive"}
    rows = {f"{row['table_name']}.{row['column_name']}": row for row in found.rows}
    assert rows["t.born"]["level_of_sources"] == "important"
    assert (rows["t.born"]["reason"], rows["t.mixed"]["reviewer"]) == ("a band", "officer")
    assert rows["t.spent"]["reason"] is None


def test_a_contract_cannot_call_personal_data_less_than_important(tmp_path: Path) -> None:
    for feed in load_feeds().values():
        assert {column.level for column in feed.columns if column.is_pii} <= {"important"}, feed.name
        assert {column.level for column in feed.columns} <= set(LEVELS)
    text = (PROJECT / "feeds" / "branch" / "customers.yml").read_text()
    address = "description: Postal address\n        classification: pii\n        customProperties:\n"
    assert address in text
    custom = "          - property: securityLevel\n            value: sensitive\n"
    own = "  - property: securityLevel\n    value: sensitive\n"
    faults = (text.replace(address, address + custom), text.replace(own, ""), text.replace(own, own[:-10] + "x\n"))
    for number, fault in enumerate(faults):
        assert fault != text
        with pytest.raises(Stop, match=r"securityLevel"):
            _load(fault, tmp_path / str(number))


def _load(text: str, folder: Path) -> None:
    path = folder / "branch" / "customers.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    load_feeds(folder)


def test_a_planted_leak_stops_the_publish(any_settings: Settings) -> None:
    """Under any name, through a table between; readers keep what they had."""
    built = Built(any_settings)
    built.model("marts.people", "select 1 as aum_amount")
    publish(any_settings, {"marts.people.aum_amount": "sensitive"})
    built.model("marts.people", "select 1 as aum_amount, 'cook' as segment")
    leak = {
        "build_intermediate.i.work": {"customers.occupation"},
        "marts.people.segment": {"build_intermediate.i.work"},
    }
    found = levels.levels_of(lineage(**leak), Rules(WITHIN)).of | {"marts.people.aum_amount": "sensitive"}
    with pytest.raises(CannotPublish, match=r"marts\.people\.segment is important, and marts shows sensitive"):
        publish(any_settings, found)
    assert warehouse.query_serving(any_settings, "select * from marts.people").column_names == ["aum_amount"]
    with pytest.raises(CannotPublish, match=r"marts\.people\.segment is important"):
        publish(any_settings, {"marts.people.aum_amount": "sensitive"})  # nobody has said what it is
    publish(any_settings, {f"marts.people.{name}": "sensitive" for name in ("aum_amount", "segment")})


def test_a_role_is_not_given_a_column_above_its_level_by_name(settings: Settings) -> None:
    Built(settings).model("marts.people", "select 1 as aum_amount")
    found = {"marts.people.aum_amount": "sensitive"}
    for level, is_fine in (("sensitive", True), ("general", False)):
        rights = Rights((Right("c360_guest", ("marts.people.aum_amount",), level=level),))
        if is_fine:
            publish(settings, found, rights)
        else:
            with pytest.raises(CannotPublish, match=r"c360_guest is to read marts\.people\.aum_amount, which is sens"):
                publish(settings, found, rights)


def publish(settings: Settings, found: dict[str, str], rights: Rights | None = None) -> None:
    warehouse.publish(settings, DAY, "run", rights=rights, levels=Levels(found))


def test_the_project_publishes_what_is_reviewed_and_no_rule_is_idle(project: Lineage) -> None:
    rules = levels.load_rules()
    found = levels.levels_of(project, rules)
    important = {column for column, level in found.of.items() if level == "important"}
    assert [column for column in important if not rules.may_show(column, "important")] == []
    assert {"marts.customer_360.birth_year", "marts.dim_account.opened_date"} <= important
    assert found.of["marts.customer_360.age_band"] == "sensitive"
    for rule in rules.shown:
        assert all(any(Rule((pattern,), "", "").names(column) for column in important) for pattern in rule.columns)
    for rule in rules.lowered:
        assert rule.reason and rule.reviewer
        for pattern in rule.columns:
            kept = tuple(replace(one, columns=tuple(set(one.columns) - {pattern})) for one in rules.lowered)
            assert levels.levels_of(project, replace(rules, lowered=kept)).of != found.of, pattern


def test_an_analyst_can_ask_what_the_page_for_analysts_asks(project: Lineage) -> None:
    """No query of docs/ANALYST.md, and no metric, reads a column above the analyst's level."""
    read = dict(_columns_of_page())
    assert len(read) > 12
    found = levels.levels_of(project, levels.load_rules()).of
    analyst = load_rights(Settings.from_env()).by_role()["c360_analyst"]
    columns: dict[str, set[str]] = {}
    for column in found:
        columns.setdefault(column.rpartition(".")[0], set()).add(column.rpartition(".")[2])
    for query, names in read.items():
        for name in names:
            table, _, column = name.rpartition(".")
            assert column in analyst.columns(table, columns[table], found), (query, name)


def _columns_of_page() -> Iterator[tuple[str, set[str]]]:
    """Each query of the page, and the published columns that it names."""
    schema: dict[str, dict[str, dict[str, str]]] = {folder: {} for folder in SCHEMAS}
    for path in (PROJECT / "dbt_project" / "models").rglob("_*__models.yml"):
        folder = path.relative_to(PROJECT / "dbt_project" / "models").parts[0]
        for model in yaml.safe_load(path.read_text())["models"] if folder in schema else ():
            schema[folder][model["name"]] = {column["name"]: "text" for column in model["columns"]}
    page = (PROJECT / "docs" / "ANALYST.md").read_text()
    for block in page.split("```sql\n")[1:]:
        query = block.partition("```")[0]
        for statement in sqlglot.parse(query, dialect="duckdb"):
            qualified = qualify(statement, schema=schema, dialect="duckdb", validate_qualify_columns=False)
            names = set()
            for scope in traverse_scope(qualified):
                for column in scope.columns:
                    source = scope.sources.get(column.table)
                    if isinstance(source, exp.Table) and source.db in schema:
                        names.add(f"{source.db}.{source.name}.{column.name}")
            yield query, names
