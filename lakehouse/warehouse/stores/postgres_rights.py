"""Rights on Postgres: grants by role, row policies by customer, and a look that finds what differs.

Tables with customers have row-level security, forced: their owner, too, is under a policy. Whose rows a person sees
hangs on the name of the login (``session_user``), which a session cannot change: ``access.people`` has the branch or
the manager's number of each login, ``access.places`` where each customer is kept and on whose list they are. A person
reads of either what is theirs, so one policy serves all roles that see a part.

`look` compares the catalogue with what should be; `apply` runs the remedies. Neither makes a role: that is an
administrator's.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import psycopg

from lakehouse.contracts import LEVELS
from lakehouse.sql import only_row
from lakehouse.warehouse import publication
from lakehouse.warehouse.engines.postgres import as_sql as _sql
from lakehouse.warehouse.engines.postgres import has_table
from lakehouse.warehouse.rights import KEY, Found, Right, Rights, Unguarded

READER, PII_READER = "c360_reader", "c360_pii_reader"
COLUMN_LEVELS = "ops.column_levels"
SHOWN = (*publication.SCHEMAS, "intraday")  # what published views read lies there, too
ACCESS = {
    "access.people": "login text not null, role text not null, branch_code text, rm_id text, last_day date not null",
    "access.places": "customer_key text not null, branch_code text, rm_id text, owner text",
}
PLACE = {"branch_code", "rm_id"}  # columns by which a row itself says whose it is
ATTRIBUTES = (
    "super",
    "bypassrls",
    "createrole",
    "createdb",
    "replication",
    "canlogin",
)  # of a role, with rol before it
BY_OWNER, OF_ALL = "c360_owner", "c360_all"  # policies; one for each role that sees a part has the role's name
MINE = (
    "select people.{column} from access.people where people.login = session_user and people.role = '{role}' "
    "and people.last_day >= current_date"
)
PLACES = (
    "select customer_key, home_branch_code, rm_id, null from marts.customer_360 union "
    "select customer_key, branch_code, rm_id, case when is_handed_out then owner end from actions.worklist "
    f"where {KEY} in (select {KEY} from marts.customer_360)"
)

Policy = tuple[str, tuple[str, ...], str]  # verb, roles, condition


@dataclass
class Table:
    """A published table or view as the catalogue has it."""

    kind: str  # r or v
    columns: tuple[str, ...]
    is_guarded: bool  # row-level security, forced
    is_invoker: bool  # a view that asks for the rights of who reads it
    granted: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # role -> verbs on the table
    readable: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # role -> columns by themselves
    policies: dict[str, Policy] = field(default_factory=dict)
    bases: set[tuple[str, str]] = field(default_factory=set)  # of a view: table, column

    @property
    def has_customers(self) -> bool:
        """Whether its rows are of customers, and to be guarded."""
        return self.kind == "r" and KEY in self.columns


class Look:
    """The catalogue beside what should be."""

    def __init__(self, connection: psycopg.Connection, rights: Rights) -> None:
        self._connection, self._rights = connection, rights
        self.owner = str(only_row(connection.execute("select current_user"))[0])
        known = connection.execute("select rolname from pg_roles where rolname like 'c360%'").fetchall()
        self.there = {name for (name,) in known}
        self.roles = [right for right in rights.roles if right.role in self.there]
        self.tables = _tables(connection)
        self.levels = _levels(connection, self.tables)

    def all(self) -> list[Found]:
        """Every right, as it should be and as it is."""
        return [*self.of_roles(), *self.of_schemas(), *self.of_tables(), *self.of_rows(), *self.elsewhere()]

    def of_roles(self) -> Iterator[Found]:
        """Roles are there, may do nothing by themselves, and nobody is of two."""
        names = [right.role for right in self._rights.roles]
        columns = ", ".join(f"rol{name}" for name in ATTRIBUTES)
        statement = _sql(f"select rolname, {columns} from pg_roles where rolname = any(%s)")
        found = {name: is_so for name, *is_so in self._connection.execute(statement, [[*names, self.owner]])}
        for name in names:
            yield Found(name, "role", "exists", "yes", _yes(name in found), f'create role "{name}"', True)
        for name, values in sorted(found.items()):
            for what, is_so in zip(ATTRIBUTES, values, strict=True):
                if what != "canlogin" or name != self.owner:
                    word = {"super": "superuser", "canlogin": "login"}.get(what, what)
                    yield Found(name, "role", word, "no", _yes(is_so), f'alter role "{name}" no{word}', True)
        yield from self._memberships(names)

    def _memberships(self, names: list[str]) -> Iterator[Found]:
        ours = {*names, READER, PII_READER}
        rows = self._connection.execute(
            "select m.rolname, g.rolname from pg_auth_members a inner join pg_roles m on m.oid = a.member "
            "inner join pg_roles g on g.oid = a.roleid where g.rolname = any(%s)",
            [sorted(ours)],
        ).fetchall()
        groups: dict[str, set[str]] = defaultdict(set)
        for member, group in rows:
            groups[member].add(group)
        people = {person.login: person.role for person in self._rights.people}
        for member in sorted((groups.keys() & (set(names) | people.keys())) - {self.owner}):
            expected = {people[member]} if member in people else set()
            for group in sorted(groups[member] | expected):
                has, should = group in groups[member], group in expected
                verb = "revoke {} from {}" if has else "grant {} to {}"
                remedy = verb.format(f'"{group}"', f'"{member}"')
                yield Found(member, group, "member", _yes(should), _yes(has), remedy, True)

    def of_schemas(self) -> Iterator[Found]:
        """Schemas are open to who reads something in them."""
        rows = self._connection.execute(
            "select n.nspname, coalesce(r.rolname, 'public'), a.privilege_type from pg_namespace n "
            "cross join lateral aclexplode(n.nspacl) a left join pg_roles r on r.oid = a.grantee "
            "where n.nspname = any(%s)",
            [[*SHOWN, "access"]],
        ).fetchall()
        granted: dict[tuple[str, str], set[str]] = defaultdict(set)
        for schema, role, verb in rows:
            granted[role, schema].add(verb.lower())
        wanted: dict[tuple[str, str], set[str]] = defaultdict(set)
        for right in self.roles:
            for name in self.tables:
                if self.wanted[right.role, name]:
                    wanted[right.role, name.partition(".")[0]] = {"usage"}
        schemas = {name.partition(".")[0] for name in self.tables}
        for role in [right.role for right in self.roles] + ["public"]:
            for schema in sorted(schemas):
                yield from _grants(role, f'schema "{schema}"', schema, wanted[role, schema], granted[role, schema])

    @cached_property
    def wanted(self) -> dict[tuple[str, str], frozenset[str]]:
        """(role, table) -> columns that the role reads; a view's, if it may read all that the view does."""
        wanted: dict[tuple[str, str], frozenset[str]] = defaultdict(frozenset)
        views = [name for name, table in self.tables.items() if table.kind == "v"]
        for right in self.roles:
            for name, table in self.tables.items():
                if not name.startswith(("access.", "intraday.")):
                    wanted[right.role, name] = right.columns(name, table.columns, self.levels)
                elif name.startswith("access.") and right.sees not in ("all", "none"):
                    wanted[right.role, name] = frozenset(table.columns)
            self._open_live(right, wanted)
            for _ in views:  # a view may read another
                for name in views:
                    if any(column not in wanted[right.role, base] for base, column in self.tables[name].bases):
                        wanted[right.role, name] = frozenset()
        return wanted

    def _open_live(self, right: Right, wanted: dict[tuple[str, str], frozenset[str]]) -> None:
        """The tables of the intraday loop under the views that the role reads."""
        for name, table in self.tables.items():
            if table.kind == "v" and wanted[right.role, name]:
                for base, _ in table.bases:
                    columns = self.tables[base].columns
                    if base.startswith("intraday.") and (right.sees == "all" or KEY in columns):
                        wanted[right.role, base] = frozenset(columns)

    def of_tables(self) -> Iterator[Found]:
        """Tables and columns are read by who may, written by nobody; nothing is the public's."""
        for name, table in self.tables.items():
            quoted = "table " + _quoted(name)
            for role in [right.role for right in self.roles] + ["public"]:
                columns = self.wanted[role, name] if role != "public" else frozenset()
                is_whole = columns == set(table.columns)
                yield from _grants(
                    role, quoted, name, {"select"} if is_whole and columns else set(), table.granted[role]
                )
                parts = set() if is_whole else columns
                if parts or table.readable[role]:
                    yield _of_columns(role, name, parts, table.readable[role])

    def of_rows(self) -> Iterator[Found]:
        """Row-level security and its policies; views ask for the rights of their reader."""
        for name, table in self.tables.items():
            quoted = _quoted(name)
            if table.kind == "v":
                remedy = f"alter view {quoted} set (security_invoker = true)"
                yield Found("–", name, "security_invoker", "yes", _yes(table.is_invoker), remedy)
                continue
            is_guarded = table.has_customers or name.startswith("access.")
            if not is_guarded:
                continue
            remedy = f"alter table {quoted} enable row level security; alter table {quoted} force row level security"
            yield Found("–", name, "row security, forced", "yes", _yes(table.is_guarded), remedy)
            wanted = dict(self._policies(name, table))
            for policy in sorted(wanted.keys() | {one for one in table.policies if one.startswith("c360_")}):
                yield _of_policy(name, policy, wanted.get(policy), table.policies.get(policy))

    def _policies(self, name: str, table: Table) -> Iterator[tuple[str, Policy]]:
        yield BY_OWNER, ("all", (self.owner,), "true")
        seeing = {right.role for right in self.roles if right.sees == "all" and self.wanted[right.role, name]}
        if not name.startswith("access."):
            seeing |= {READER} & self.there
        if seeing:
            yield OF_ALL, ("select", tuple(sorted(seeing)), "true")
        for right in self.roles:
            if right.sees != "all" and self.wanted[right.role, name]:
                yield right.role, ("select", (right.role,), _own(right, name, table.columns))

    def elsewhere(self) -> Iterator[Found]:
        """What is not published is nobody's but the pipeline's, and, of ``pii``, of who has that role."""
        rows = self._connection.execute(
            "select distinct r.rolname, n.nspname || '.' || c.relname from pg_class c "
            "inner join pg_namespace n on n.oid = c.relnamespace cross join lateral aclexplode(c.relacl) a "
            "inner join pg_roles r on r.oid = a.grantee "
            "where r.rolname = any(%s) and not n.nspname = any(%s) and c.relkind in ('r', 'v', 'm')",
            [[right.role for right in self.roles], [*SHOWN, "access"]],
        ).fetchall()
        for role, name in rows:
            yield Found(role, name, "any", "no", "yes", f'revoke all on {_quoted(name)} from "{role}"')


def apply(connection: psycopg.Connection, rights: Rights, is_whole: bool = True) -> list[Found]:
    """Make grants and policies what they should be, for the roles that there are; returns what stays otherwise.

    Parameters
    ----------
    is_whole : bool
        Whether customers may have changed their places; else only people and grants are followed.
    """
    connection.execute("create schema if not exists access")
    for name, columns in ACCESS.items():
        connection.execute(_sql(f"create table if not exists {name} ({columns})"))
    if remedies := [one.remedy for one in _wrong(connection, rights) if not one.needs_administrator]:
        connection.execute(_sql("; ".join(remedies)))
    _refill_people(connection, rights)
    if is_whole and all(has_table(connection, name) for name in ("marts.customer_360", "actions.worklist")):
        connection.execute("delete from access.places")
        connection.execute(_sql(f"insert into access.places {PLACES}"))
    return _wrong(connection, rights)


def guard(connection: psycopg.Connection, rights: Rights, is_whole: bool) -> None:
    """`apply`, at the end of a publish.

    Raises
    ------
    Unguarded
        If somebody would read what is not theirs.
    """
    wrong = [one for one in apply(connection, rights, is_whole) if not one.needs_administrator or _is_open(one, rights)]
    if wrong:
        raise Unguarded(f"{wrong[0].role} on {wrong[0].about}: {wrong[0].verb} is {wrong[0].found or 'nothing'}")


def _is_open(one: Found, rights: Rights) -> bool:
    """Whether row policies do not hold for a role of readers."""
    return one.verb in ("superuser", "bypassrls") and one.role in rights.by_role()


def _wrong(connection: psycopg.Connection, rights: Rights) -> list[Found]:
    return [one for one in look_at(connection, rights) if not one.is_fine]


def look_at(connection: psycopg.Connection, rights: Rights) -> list[Found]:
    """Every right as it should be and as it is."""
    return Look(connection, rights).all()


def _refill_people(connection: psycopg.Connection, rights: Rights) -> None:
    connection.execute("delete from access.people")
    with connection.cursor() as cursor:
        rows = [(one.login, one.role, one.branch_code, one.rm_id, one.last_day) for one in rights.people]
        cursor.executemany("insert into access.people values (%s, %s, %s, %s, %s)", rows)


def _own(right: Right, name: str, columns: Collection[str]) -> str:
    """The condition on rows that are of a person of the role."""
    if name == "access.people":
        return f"login = session_user and role = '{right.role}'"
    if right.sees == "listed":
        by_row = f"owner = '{right.owner}' and exists ({MINE.format(column='login', role=right.role)})"
        if name == "access.places":
            return by_row
        if {"owner", "is_handed_out"} <= set(columns) and name.startswith("actions."):
            return f"is_handed_out and {by_row}"
    else:
        column = "branch_code" if right.sees == "branch" else "rm_id"
        if name == "access.places" or (set(columns) >= PLACE and name.startswith("actions.")):
            return f"{column} in ({MINE.format(column=column, role=right.role)})"
    return f"{KEY} in (select places.{KEY} from access.places)"


def _grants(role: str, quoted: str, name: str, wanted: set[str], granted: set[str]) -> Iterator[Found]:
    for verb in sorted(wanted | granted | ({"select"} if quoted.startswith("table") else {"usage"})):
        should, has = verb in wanted, verb in granted
        grantee = _grantee(role)
        remedy = f"grant {verb} on {quoted} to {grantee}" if should else f"revoke {verb} on {quoted} from {grantee}"
        yield Found(role, name, verb, _yes(should), _yes(has), remedy)


def _grantee(role: str) -> str:
    return role if role == "public" else f'"{role}"'


def _of_columns(role: str, name: str, wanted: Collection[str], readable: Collection[str]) -> Found:
    def listed(columns: Collection[str]) -> str:
        return ", ".join(f'"{name}"' for name in sorted({one.partition(" (")[0] for one in columns}))

    parts, grantee = [], _grantee(role)
    if gone := set(readable) - set(wanted):
        parts.append(f"revoke all ({listed(gone)}) on {_quoted(name)} from {grantee}")
    if new := set(wanted) - set(readable):
        parts.append(f"grant select ({listed(new)}) on {_quoted(name)} to {grantee}")
    expected, found = (", ".join(sorted(columns)) for columns in (wanted, readable))
    return Found(role, name, "select, columns", expected, found, "; ".join(parts))


def _of_policy(
    name: str,
    policy: str,
    wanted: Policy | None,
    there: Policy | None,
) -> Found:
    parts = [f'drop policy "{policy}" on {_quoted(name)}'] if there else []
    expected = found = ""
    if wanted:
        verb, roles, condition = wanted
        grantees = ", ".join(f'"{role}"' for role in roles)
        check = f" with check ({condition})" if verb == "all" else ""
        parts.append(f'create policy "{policy}" on {_quoted(name)} for {verb} to {grantees} using ({condition}){check}')
        expected = f"{verb} to {', '.join(roles)} where {_plain(condition)}"
    if there:
        verb, roles, condition = there
        found = f"{verb} to {', '.join(roles)} where {_plain(condition)}"
    return Found("–", name, f"policy {policy}", expected, found, "; ".join(parts))


def _plain(condition: str) -> str:
    """A condition as it was written, and as Postgres writes it, in one form; ours have no ``or``."""
    return re.sub(r"::(text|character varying|name)|[()\s]", "", condition.lower())


def _tables(connection: psycopg.Connection) -> dict[str, Table]:
    """Published tables and views, and those of the rights themselves, by name."""
    schemas = [*SHOWN, "access"]
    tables = {
        name: Table(kind, tuple(columns), is_guarded and is_forced, is_invoker)
        for name, kind, columns, is_guarded, is_forced, is_invoker in connection.execute(
            "select n.nspname || '.' || c.relname, c.relkind::text, array_agg(a.attname::text order by a.attnum), "
            "c.relrowsecurity, c.relforcerowsecurity, coalesce('security_invoker=true' = any(c.reloptions), false) "
            "from pg_class c inner join pg_namespace n on n.oid = c.relnamespace "
            "inner join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
            "where n.nspname = any(%s) and c.relkind in ('r', 'v') group by n.nspname, c.oid order by 1",
            [schemas],
        )
    }
    for name, role, verb in connection.execute(
        "select n.nspname || '.' || c.relname, coalesce(r.rolname, 'public'), lower(a.privilege_type) from pg_class c "
        "inner join pg_namespace n on n.oid = c.relnamespace cross join lateral aclexplode(c.relacl) a "
        "left join pg_roles r on r.oid = a.grantee where n.nspname = any(%s) and c.relkind in ('r', 'v')",
        [schemas],
    ):
        tables[name].granted[role].add(verb)
    for name, role, column, verb in connection.execute(
        "select n.nspname || '.' || c.relname, coalesce(r.rolname, 'public'), t.attname, lower(a.privilege_type) "
        "from pg_attribute t inner join pg_class c on c.oid = t.attrelid "
        "inner join pg_namespace n on n.oid = c.relnamespace cross join lateral aclexplode(t.attacl) a "
        "left join pg_roles r on r.oid = a.grantee "
        "where n.nspname = any(%s) and c.relkind in ('r', 'v') and t.attnum > 0",
        [schemas],
    ):
        tables[name].readable[role].add(column if verb == "select" else f"{column} ({verb})")
    for name, policy, roles, verb, condition in connection.execute(
        "select schemaname || '.' || tablename, policyname, roles::text[], lower(cmd), qual from pg_policies "
        "where schemaname = any(%s)",
        [schemas],
    ):
        tables[name].policies[policy] = (verb, tuple(sorted(roles)), condition or "")
    for view, base, column in connection.execute(
        "select vn.nspname || '.' || v.relname, bn.nspname || '.' || b.relname, a.attname from pg_depend d "
        "inner join pg_rewrite w on w.oid = d.objid and d.classid = 'pg_rewrite'::regclass "
        "inner join pg_class v on v.oid = w.ev_class inner join pg_namespace vn on vn.oid = v.relnamespace "
        "inner join pg_class b on b.oid = d.refobjid and d.refclassid = 'pg_class'::regclass and b.oid <> v.oid "
        "inner join pg_namespace bn on bn.oid = b.relnamespace "
        "inner join pg_attribute a on a.attrelid = b.oid and a.attnum = d.refobjsubid and a.attnum > 0 "
        "where vn.nspname = any(%s)",
        [schemas],
    ):
        tables[view].bases.add((base, column))
    return tables


def _levels(connection: psycopg.Connection, tables: Mapping[str, Table]) -> dict[str, str]:
    """The security level of published columns, as readers see it; what has none there counts as important.

    The store's own tables say nothing of a person, and of a view that the store makes, what it reads decides.
    """
    levels: dict[str, str] = {}
    if has_table(connection, COLUMN_LEVELS):
        statement = _sql(f"select schema_name, table_name, column_name, security_level from {COLUMN_LEVELS}")
        for schema, table, column, level in connection.execute(statement):
            levels[f"{schema}.{table}.{column}"] = level
    known = {column.rpartition(".")[0] for column in levels}
    own = {publication.PUBLICATIONS.full_name, publication.PARTITIONS.full_name}
    own |= {name for name, table in tables.items() if table.kind == "v" and name not in known}
    return levels | {f"{name}.{column}": LEVELS[0] for name in own & tables.keys() for column in tables[name].columns}


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _quoted(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))
