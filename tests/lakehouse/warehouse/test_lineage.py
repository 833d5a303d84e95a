"""A column derives from what its SQL reads, under whatever name: nothing personal is published but what is allowed."""

import json
import re
from datetime import date

import pytest

from lakehouse import warehouse
from lakehouse.settings import Settings
from lakehouse.warehouse import lineage
from lakehouse.warehouse.dbt import target_path
from lakehouse.warehouse.publication import CannotPublish
from tests.lakehouse.warehouse.built import Built

STAGED = "select *, cast('cif:' || customer_no as varchar) as party_key from raw.customers"
SHOWN = {
    "a name of its own": "select phone as contact from people",
    "through a common table": "with a as (select * from people), b as (select a.* from a) "
    "select phone as contact from b",
    "through functions": "select upper(trim(coalesce(name, '-'))) || ' (called)' as contact from people",
    "a hash without a key": "select md5(id_no) as contact from people",
    "a part": "select substring(phone, 1, 3) as contact from people",
    "one of many": "select city, max(address) as contact from people group by city",
    "a list": "select city, string_agg(email, ',') as contact from people group by city",
    "as a number": "select cast(phone as bigint) as contact from people",
    "a branch of a case": "select case when city = 'B' then '-' else name end as contact from people",
    "a window": "select lag(address) over (partition by city order by party_key) as contact from people",
    "a union": "select city as contact from people union all select name from people",
    "a subquery": "select city, (select min(email) from people as others) as contact from people",
    "a derived table": "select x.c as contact from (select name as c from people) as x",
    "an age to the day": "select date '2026-03-01' - birth_date as contact from people",
    "a recursive table": "with recursive r as (select name, 1 as n from people union all select name, n + 1 from r "
    "where n < 3) select name as contact from r",
}
NOT_SHOWN = {
    "a token": "select phone_token as contact from people",
    "how many": "select city, count(distinct phone) as contact from people group by city",
    "whether there is one": "select phone is not null as contact from people",
    "a comparison": "select case when birth_date < date '2000-01-01' then 'old' end as contact from people",
    "the year of birth": "select cast(extract(year from birth_date) as integer) as contact from people",
    "a condition": "select city as contact from people where name = 'x'",
    "a join": "select people.city as contact from people inner join people as others on people.phone = others.phone",
    "an order": "select row_number() over (partition by city order by name) as contact from people",
    "a column that is not personal": "with a as (select * from people) select city as contact from a",
}


def manifest(sql: str) -> tuple[dict, dict[str, str]]:
    """raw.customers -> staging.people -> build_intermediate.int_people -> build_marts.shown."""
    steps = {
        "staging.people": STAGED,
        "build_intermediate.int_people": 'select * from "build"."staging"."people"',
        "build_marts.shown": re.sub(
            r"(from|join) people( as \w+)?",
            lambda read: f'{read[1]} "build"."build_intermediate"."int_people"{read[2] or " as people"}',
            sql,
        ),
    }
    nodes, compiled, before = {}, {}, "source.raw.customers"
    for name, text in steps.items():
        schema, alias = name.split(".")
        nodes[name] = {"resource_type": "model", "schema": schema, "alias": alias, "columns": {}}
        nodes[name]["depends_on"] = {"nodes": [before]}
        compiled[name], before = text, name
    columns = {column: {} for column, _ in lineage.load_feeds()["customers"].lake_columns}
    source = {"resource_type": "source", "schema": "raw", "identifier": "customers", "columns": columns}
    return {"nodes": nodes, "sources": {"source.raw.customers": source}}, compiled


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
@pytest.mark.parametrize("kind", SHOWN)
def test_what_shows_a_person_is_found_under_any_name(kind: str, dialect: str) -> None:
    found = lineage.published_sources(*manifest(SHOWN[kind]), ("marts",), dialect)
    assert list(found) == ["marts.shown.contact"]
    assert all(source.startswith("customers.") for source in found["marts.shown.contact"])


@pytest.mark.parametrize("kind", NOT_SHOWN)
def test_tokens_counts_years_and_answers_are_allowed(kind: str) -> None:
    assert lineage.published_sources(*manifest(NOT_SHOWN[kind]), ("marts",), "duckdb") == {}


def test_sql_that_cannot_be_followed_is_refused() -> None:
    with pytest.raises(CannotPublish, match=r"build_marts\.shown cannot be followed"):
        lineage.published_sources(*manifest("select from where people ("), ("marts",), "duckdb")
    with pytest.raises(CannotPublish, match=r"build_marts\.shown cannot be followed"):
        lineage.published_sources(
            *manifest("select * from people inner join raw.unknown on true"), ("marts",), "duckdb"
        )
    whole, compiled = manifest(NOT_SHOWN["a token"])
    del compiled["staging.people"]
    with pytest.raises(CannotPublish, match=r"staging\.people cannot be followed"):
        lineage.published_sources(whole, compiled, ("marts",), "duckdb")


def test_phone_as_contact_is_not_published(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known again without reading any SQL; an exception that was reviewed lets it pass."""
    built = Built(settings)
    built.execute("create schema raw", "create table raw.customers (phone varchar)")
    built.model("marts.people", "select phone as contact from raw.customers")
    for _ in range(2):
        with pytest.raises(CannotPublish, match=r"marts\.people\.contact derives from customers\.phone"):
            warehouse.publish(settings, date(2026, 3, 1), "run 1")
        monkeypatch.setattr(lineage, "published_sources", None)
    (kept,) = target_path(settings).glob("lineage-*.json")
    assert json.loads(kept.read_text()) == {"marts.people.contact": ["customers.phone"]}
    rules = lineage.Rules({}, {"marts.people.contact": "reviewed"})
    monkeypatch.setattr(lineage, "load_rules", lambda: rules)
    warehouse.publish(settings, date(2026, 3, 1), "run 1")
