"""A column derives from those whose values it shows, through every model between."""

import pytest

from lakehouse.errors import Stop
from lakehouse.warehouse import derivation
from lakehouse.warehouse.derivation import CannotFollow, Lineage, Reading, followed
from tests.conftest import parsed

TABLES = {"raw.a": ["id", "amount", "kind", "day"], "raw.b": ["id", "name", "rate"]}
SHOWN = {name: {column: frozenset({f"{name[4:]}.{column}"}) for column in columns} for name, columns in TABLES.items()}
CASES = {
    "select amount as x from raw.a": {"a.amount"},
    "select a.amount * b.rate as x from raw.a as a inner join raw.b as b on a.id = b.id": {"a.amount", "b.rate"},
    "select sum(amount) as x from raw.a group by kind": {"a.amount"},
    "select amount > 5 as x from raw.a": {"a.amount"},
    "select case when kind = 'k' then amount else 0 end as x from raw.a": {"a.amount"},
    "select case when kind = 'k' then 'high' else 'low' end as x from raw.a": {"a.kind"},
    "select sum(amount) filter (where kind = 'k') as x from raw.a": {"a.amount"},
    "select lag(amount) over (partition by kind order by day) as x from raw.a": {"a.amount"},
    "select case when kind = 'k' then case when amount > 0 then 1 end end as x from raw.a": {"a.amount"},
    "select string_agg(kind, ',' order by day) as x from raw.a": {"a.kind"},
    "select array_agg(kind order by day) as x from raw.a": {"a.kind"},
    "select percentile_cont(0.5) within group (order by amount) as x from raw.a": {"a.amount"},
    "select count(*) as x from raw.a": set(),
    "select 1 as x from raw.a": set(),
    "with c as (select id, amount as y from raw.a), d as (select y + 1 as x from c) select x from d": {"a.amount"},
    "select x from (select name as x from raw.b union all select kind from raw.a) as both": {
        "b.name",
        "a.kind",
    },
    "select coalesce(a.kind, b.name) as x from raw.a as a left join raw.b as b using (id)": {"a.kind", "b.name"},
    "select (select max(rate) from raw.b) as x from raw.a": {"b.rate"},
}


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
@pytest.mark.parametrize("sql", CASES)
def test_values_are_followed_and_conditions_are_not(sql: str, dialect: str) -> None:
    assert followed("marts.t", sql, dict(TABLES), SHOWN, dialect, Reading())["x"] == CASES[sql]


def test_a_choice_by_a_function_is_one_like_any_other() -> None:
    def shown(sql: str) -> set[str]:
        return set(followed("marts.t", sql, dict(TABLES), SHOWN, "duckdb", Reading())["x"])

    assert shown("select if(kind = 'k', amount, 0) as x from raw.a") == {"a.amount"}
    assert shown("select if(kind = 'k', 1, 0) as x from raw.a") == {"a.kind"}


def test_a_token_derives_from_the_number_that_it_stands_for() -> None:
    known = derivation.tokens()
    assert known["customers.phone_token"] == {"customers.phone"}
    lineage = Lineage(known | {"marts.t.x": frozenset({"customers.phone_token"})})
    assert lineage.roots("marts.t.x") == ["customers.phone"]
    assert lineage.columns_from("customers.phone") == ["marts.t.x"]


def test_what_sql_makes_of_nothing_is_on_the_way_but_no_root() -> None:
    lineage = Lineage({"marts.t.x": frozenset({"build_intermediate.i.rank"}), "build_intermediate.i.rank": frozenset()})
    assert list(lineage.sources("marts.t.x")) == ["build_intermediate.i.rank"]
    assert lineage.roots("marts.t.x") == []


def test_sql_that_cannot_be_followed_names_the_model() -> None:
    with pytest.raises(CannotFollow, match=r"marts\.t cannot be followed"):
        followed("marts.t", "select * from raw.nothing", dict(TABLES), SHOWN, "duckdb", Reading())


def test_the_way_leads_from_the_nearest_to_the_roots_and_back() -> None:
    lineage = Lineage(
        {
            "marts.t.x": frozenset({"build_intermediate.i.y", "build_seeds.s.limit"}),
            "build_intermediate.i.y": frozenset({"staging.a.amount"}),
            "staging.a.amount": frozenset({"a.amount"}),
            "marts.u.z": frozenset({"staging.a.kind"}),
        }
    )
    assert list(lineage.sources("marts.t.x").items()) == [
        ("build_intermediate.i.y", "marts.t.x"),
        ("build_seeds.s.limit", "marts.t.x"),
        ("staging.a.amount", "build_intermediate.i.y"),
        ("a.amount", "staging.a.amount"),
    ]
    assert lineage.roots("marts.t.x") == ["a.amount", "build_seeds.s.limit"]
    assert lineage.columns_from("a.amount") == ["marts.t.x"]
    with pytest.raises(Stop, match=r"no column marts\.t\.xx: did you mean marts\.t\.x"):
        lineage.require("marts.t.xx")


def test_the_lineage_of_a_project_is_read_once(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    version = derivation.keep_lineage(parsed(settings), {})
    known = derivation.read_lineage(settings)
    monkeypatch.setattr(derivation, "compile_models", None)
    assert derivation.keep_lineage(settings, {}) == version
    assert "balances.balance" in known.roots("ops.critical_elements.break_amount")
    assert derivation.tables_of("with c as (select 1 from a.b) select 1 from c.d", "duckdb") == {"a.b", "c.d"}


def test_a_project_that_was_never_built_has_none(settings) -> None:
    with pytest.raises(Stop, match="nothing is built yet"):
        derivation.read_lineage(settings)
