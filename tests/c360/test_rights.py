"""Every role, every table, every verb, own and other branch, on a real Postgres: before and after a rebuild."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from c360.access import add_person, load_rights, load_roles, revoke_token
from lakehouse import warehouse
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse.publication import CannotPublish
from lakehouse.warehouse.stores.postgres_rights import PII_READER, READER
from tests.c360.app.small import ACTIONS, CUSTOMERS
from tests.c360.app.test_access import SEEN
from tests.lakehouse.warehouse.built import Built

DAY, FOREVER = date(2026, 3, 1), date(9999, 1, 1)
KEYS = sorted(key for key, *_ in CUSTOMERS)
VERBS = (
    "insert into {} select * from {}",
    "update {} set {column} = {column}",
    "delete from {}",
    "truncate {}",
    "create index on {} ({column})",
)
REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ObjectNotInPrerequisiteState,  # a view that takes no rows
    psycopg.errors.WrongObjectType,
)
PEOPLE = {  # login -> role, branch, manager, customers
    "S-relationship_manager": ("relationship_manager", None, "R1", SEEN["relationship_manager"]),
    "S-other_manager": ("relationship_manager", None, "R2", {"cif:3"}),
    "S-branch_manager": ("branch_manager", "B1", None, SEEN["branch_manager"]),
    "S-branch_reader": ("branch_reader", "B1", None, SEEN["branch_reader"]),
    "S-other_branch": ("branch_reader", "B2", None, {"cif:3", "lead:4"}),
    "S-nowhere": ("branch_reader", "B9", None, set()),
    "S-call_centre": ("call_centre", None, None, SEEN["call_centre"]),
    "S-clerk": ("clerk", None, None, set()),
    "S-business_analyst": ("business_analyst", None, None, set()),
    "S-risk_officer": ("risk_officer", None, None, set(KEYS)),
    "S-privacy_officer": ("privacy_officer", None, None, set(KEYS)),
    "S-auditor": ("auditor", None, None, set(KEYS)),
}
OF_CUSTOMERS = {"marts.customer_360", "marts.customer_changes", "marts.customer_handles", "marts.changed"}
OF_ALL = {"marts.fct_postings", "marts.totals", "marts.turnover"}  # no row of them can be cut to a branch
SHARED = {"marts.dim_date"}
READ = {  # role -> tables
    "c360_clerk": SHARED | {"ops.runs"},
    "c360_business_analyst": SHARED | {"ops.runs"},
    "c360_operator": SHARED | {"ops.runs"},
    "c360_scorer": SHARED | {"features.customer_features"},
    "c360_downstream": SHARED | {"scores.customer_scores", "actions.worklist"},
    "c360_analyst": SHARED
    | (OF_CUSTOMERS - {"marts.customer_handles"})
    | OF_ALL
    | {"features.customer_features", "scores.customer_scores", "actions.worklist", "ops.runs", "ops.column_levels"},
}
CUT = ("c360_relationship_manager", "c360_branch_manager", "c360_branch_reader", "c360_call_centre")
for _role in CUT:
    READ[_role] = SHARED | OF_CUSTOMERS | {"scores.customer_scores", "actions.worklist"}
READ["c360_branch_manager"] |= {"ops.runs"}
READ["c360_risk_officer"] = READ["c360_branch_manager"] | OF_ALL
READ["c360_privacy_officer"] = SHARED | OF_CUSTOMERS | OF_ALL
READ["c360_auditor"] = READ["c360_risk_officer"] | {"ops.page_views", "ops.audit"}
IMPORTANT = {"birth_year", "occupation", "user_name"}
WITHOUT = {"c360_analyst": IMPORTANT}
LEVELS = """
    with columns as (
        select cast(replace(table_schema, 'build_', '') as varchar) as schema_name,
            cast(table_name as varchar) as table_name, cast(column_name as varchar) as column_name
        from information_schema.columns where table_schema like 'build_%' and table_name <> 'column_levels'
        union all
        select 'ops', 'column_levels', told.column_name
        from (values ('schema_name'), ('table_name'), ('column_name'), ('security_level')) as told (column_name)
    )
    select *, case when column_name in ({important}) then 'important' else 'sensitive' end as security_level
    from columns
"""
PRIVATE = ("build_marts.customer_360", "pii.people", "raw.customers")


def values(rows: list[tuple], names: str) -> str:
    """A query that gives the rows."""

    def literal(value: object) -> str:
        return "null" if value is None else str(value) if isinstance(value, bool | int) else f"'{value}'"

    told = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    columns = ", ".join(f"cast({name} as varchar) as {name}" if "is_" not in name else name for name in names.split())
    return f"select {columns} from (values {told}) as told ({', '.join(names.split())})"


def build(built: Built, more: str = "") -> None:
    """What dbt builds; with another column in each table of customers after the project has changed."""
    kept = values(CUSTOMERS, "customer_key home_branch_code rm_id")
    built.execute("drop view if exists build_marts.totals, build_marts.changed, build_marts.turnover")
    built.model("marts.customer_360", f"select *, 1970 as birth_year, 'cook' as occupation{more} from ({kept}) as kept")
    built.model("marts.customer_changes", f"select customer_key, 1 as change_rank{more} from ({kept}) as kept")
    built.model("marts.customer_handles", f"select customer_key, 'phone' as handle_kind{more} from ({kept}) as kept")
    built.model("marts.fct_postings", f"select customer_key as party_key, 1 as amount{more} from ({kept}) as kept")
    built.model("marts.dim_date", "select date '2026-03-01' as date_day")
    for name, sql, base in (
        ("changed", "select customer_key, change_rank from build_marts.customer_changes", "customer_changes"),
        ("totals", "select count(*) as customer_count from build_marts.customer_changes", "customer_changes"),
        ("turnover", "select party_key as customer_key, amount from build_marts.fct_postings", "fct_postings"),
    ):
        built.model(f"marts.{name}", sql, "view", reads=(f"marts.{base}",))
    built.model("features.customer_features", f"select customer_key, 1 as age{more} from ({kept}) as kept")
    built.model("scores.customer_scores", f"select customer_key, 0.5 as score{more} from ({kept}) as kept")
    actions = values(ACTIONS, "customer_key source branch_code rm_id owner arm is_handed_out")
    built.model("actions.worklist", f"select *{more} from ({actions}) as listed")
    built.model("ops.page_views", f"select customer_key, 'S0001' as user_name{more} from ({kept}) as kept")
    built.model("ops.runs", "select 'serve' as step")
    built.model("ops.audit", "select 1 as record_number")
    built.model("ops.column_levels", LEVELS.format(important=", ".join(f"'{name}'" for name in sorted(IMPORTANT))))


@pytest.fixture
def store(postgres_settings: Settings, postgres_server: str) -> Iterator[tuple[Built, psycopg.Connection]]:
    """A bank that is published, with its people; and a connection that may become anybody."""
    settings = postgres_settings
    database = conninfo_to_dict(settings.postgres_dsn.get_secret_value())["dbname"]
    with psycopg.connect(make_conninfo(postgres_server, dbname=database), autocommit=True) as connection:
        for right in load_rights(settings).roles:
            if not connection.execute("select 1 from pg_roles where rolname = %s", [right.role]).fetchone():
                connection.execute(f'create role "{right.role}"')
        for login, (role, branch, manager, _) in PEOPLE.items():
            connection.execute(f'drop role if exists "{login}"')
            connection.execute(f'create role "{login}" login in role "c360_{role}"')
            add_person(settings.api_tokens, login, role, FOREVER, branch, manager)
        connection.execute('drop role if exists "stranger"')
        connection.execute('create role "stranger" login')
        built = Built(settings)
        built.execute("create schema raw", "create table raw.customers as select 'Li' as name")
        built.execute("create schema pii", "create table pii.people as select 'Li' as name")
        build(built)
        publish(settings)
        yield built, connection
        connection.execute("reset session authorization")
        for login in [*PEOPLE, "stranger"]:
            connection.execute(f'drop role "{login}"')


def publish(settings: Settings) -> None:
    warehouse.publish(settings, DAY, "run", rights=load_rights(settings))


def rows_of(connection: psycopg.Connection, table: str, columns: str = "*") -> list[tuple] | None:
    """None: it may not be read."""
    try:
        return connection.execute(f"select {columns} from {table}").fetchall()
    except psycopg.errors.InsufficientPrivilege:
        return None


def hold(settings: Settings, connection: psycopg.Connection) -> None:
    """The whole matrix, with what each cell gives."""
    tables = dict(
        connection.execute(
            "select table_schema || '.' || table_name, array_agg(column_name::text order by ordinal_position) "
            "from information_schema.columns where table_schema in ('marts', 'features', 'scores', 'actions', 'ops') "
            "and table_name not like 'publi%' group by 1"
        ).fetchall()
    )
    assert READ.keys() == {right.role for right in load_rights(settings).roles}
    assert READ["c360_auditor"] | READ["c360_scorer"] | READ["c360_analyst"] == tables.keys()
    systems = [
        right.role for right in load_rights(settings).roles if right.role.removeprefix("c360_") not in load_roles()
    ]
    people = {login: (f"c360_{role}", seen) for login, (role, _, _, seen) in PEOPLE.items()}
    for who, (role, seen) in (people | {one: (one, set(KEYS)) for one in systems} | {"stranger": ("", set())}).items():
        connection.execute(f'set session authorization "{who}"')
        for table, columns in tables.items():
            names = [name for name in columns if name not in WITHOUT.get(role, ())]
            found = rows_of(connection, table, ", ".join(names))
            if table not in READ.get(role, ()):
                assert found is None, (who, table)
            elif "customer_key" in columns and table != "ops.page_views":
                keys = {row[names.index("customer_key")] for row in found}
                assert keys == (seen if table != "actions.worklist" else seen & listed(who)), (who, table)
            else:
                assert found, (who, table)
            if table == "actions.worklist" and found and role in ("c360_branch_reader", "c360_branch_manager"):
                assert {row[names.index("branch_code")] for row in found} == {PEOPLE[who][1]}
            if len(names) < len(columns):
                assert rows_of(connection, table) is None
            for verb in VERBS:
                with pytest.raises(REFUSED):
                    connection.execute(verb.format(table, table, column=columns[0]))
        for table in PRIVATE:
            assert rows_of(connection, table) is None, (who, table)
        if role in CUT:
            assert {key for (key,) in rows_of(connection, "access.places", "customer_key")} == seen
            assert rows_of(connection, "access.people", "login") == [(who,)]
        connection.execute("reset session authorization")
    assert [one for one in warehouse.look_at_rights(settings, load_rights(settings)) if not one.is_fine] == []


def listed(who: str) -> set[str]:
    """Customers of whom a person sees an action, or who sees all."""
    role, branch, manager, _ = PEOPLE.get(who, ("", None, None, None))
    owner = load_roles()[role].owner if role else None
    return {
        key
        for key, _, of_branch, of_manager, of_owner, _, is_handed_out in ACTIONS
        if (branch is None or of_branch == branch)
        and (manager is None or of_manager == manager)
        and (owner is None or (of_owner == owner and is_handed_out))
    }


def test_every_right_holds_before_and_after_a_rebuild(store: tuple[Built, psycopg.Connection]) -> None:
    built, connection = store
    hold(built.settings, connection)
    build(built, ", 1 as one_more")
    publish(built.settings)
    hold(built.settings, connection)
    built.execute("drop schema marts, features, scores, actions, ops cascade")
    publish(built.settings)
    hold(built.settings, connection)


def test_a_column_without_a_level_is_read_by_those_alone_who_serve_the_person(
    store: tuple[Built, psycopg.Connection],
) -> None:
    built, connection = store
    built.execute("alter table build_marts.fct_postings add column remarks varchar default 'x'")
    publish(built.settings)
    found = {}
    for login in ("S-risk_officer", "c360_analyst"):
        connection.execute(f'set session authorization "{login}"')
        found[login] = [rows_of(connection, "marts.fct_postings", name) is not None for name in ("amount", "remarks")]
        connection.execute("reset session authorization")
    assert found == {"S-risk_officer": [True, True], "c360_analyst": [True, False]}


def test_what_somebody_changed_is_found_and_mended(store: tuple[Built, psycopg.Connection]) -> None:
    built, connection = store
    settings, rights = built.settings, load_rights(built.settings)
    changes = (
        "grant update on marts.customer_360 to c360_branch_reader",
        "grant select on raw.customers to c360_analyst",
        "grant select on marts.fct_postings to public",
        "grant select (birth_year) on marts.customer_360 to c360_analyst",
        "grant update (home_branch_code) on marts.customer_360 to c360_auditor",
        "grant select (customer_key) on marts.customer_handles to public",
        "alter table features.customer_features no force row level security",
        "alter table scores.customer_scores disable row level security",
        "alter view marts.changed reset (security_invoker)",
        "create policy c360_everybody on marts.customer_360 for select to public using (true)",
        "alter policy c360_branch_reader on marts.customer_360 using (true)",
        "drop policy c360_branch_reader on actions.worklist",
        "revoke select on actions.worklist from c360_downstream",
        "revoke usage on schema marts from c360_auditor",
    )
    for count, changed in enumerate(changes, start=1):
        connection.execute(changed)
        assert sum(not one.is_fine for one in warehouse.look_at_rights(settings, rights)) == count, changed
    assert warehouse.apply_rights(settings, rights) == []
    for changed, back in (
        ("alter role c360_analyst bypassrls", "alter role c360_analyst nobypassrls"),
        ('grant c360_auditor to "S-clerk"', 'revoke c360_auditor from "S-clerk"'),
        ("alter role c360_downstream login", "alter role c360_downstream nologin"),
    ):
        connection.execute(changed)
        (left,) = warehouse.apply_rights(settings, rights)
        assert left.needs_administrator
        if "bypassrls" in changed:
            with pytest.raises(CannotPublish, match="c360_analyst on role: bypassrls"):
                publish(settings)
        connection.execute(left.remedy)
        assert warehouse.apply_rights(settings, rights) == [], back


def test_a_person_cannot_become_another(store: tuple[Built, psycopg.Connection]) -> None:
    own = make_conninfo(store[1].info.dsn, user="S-branch_reader")
    with psycopg.connect(own, autocommit=True) as connection:
        seen = rows_of(connection, "marts.customer_360", "customer_key")
        assert {key for (key,) in seen} == SEEN["branch_reader"]
        for tried in ("set role c360_auditor", 'set role "S-auditor"', 'set session authorization "S-auditor"'):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(tried)
        connection.execute("set role c360_branch_reader")  # one's own: who logged in stays
        assert rows_of(connection, "marts.customer_360", "customer_key") == seen
        assert rows_of(connection, "access.people", "login") == [("S-branch_reader",)]
        connection.execute("set row_security = off")
        assert rows_of(connection, "marts.customer_360") is None


def test_who_is_moved_or_leaves_sees_other_customers_or_none(store: tuple[Built, psycopg.Connection]) -> None:
    built, connection = store
    tokens = built.settings.api_tokens

    def seen() -> set[str]:
        warehouse.apply_rights(built.settings, load_rights(built.settings))
        connection.execute('set session authorization "S-branch_reader"')
        keys = {key for (key,) in rows_of(connection, "marts.customer_360", "customer_key")}
        connection.execute("reset session authorization")
        return keys

    revoke_token(tokens, "S-branch_reader")
    assert seen() == set()
    add_person(tokens, "S-branch_reader", "branch_reader", FOREVER, "B2")
    assert seen() == {"cif:3", "lead:4"}
    revoke_token(tokens, "S-branch_reader")
    add_person(tokens, "S-branch_reader", "branch_reader", datetime.now(UTC).date().replace(year=2000), "B2")
    assert seen() == set()


def test_the_served_deployment_makes_every_role_and_none_at_run_time(settings: Settings) -> None:
    script = (PROJECT / "deploy" / "warehouse-init.sh").read_text()
    made = set(re.findall(r"^ +'(c360_\w+)'", script, re.MULTILINE))
    assert made == {right.role for right in load_rights(settings).roles} | {READER, PII_READER}
    assert not re.search("createrole|superuser|bypassrls|createdb", script.split("<<", 1)[1])
