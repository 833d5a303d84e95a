"""The table of permissions as rights on Postgres: a role for each of its roles, and the people of the register."""

from c360.access.register import read_grants
from c360.access.roles import load_roles, read_table
from lakehouse.settings import Settings
from lakehouse.warehouse.rights import Person, Right, Rights

PREFIX = "c360_"


def load_rights(settings: Settings) -> Rights:
    """What each role reads of a served store, and whose rows each person sees."""
    table = read_table()
    shared = tuple(table["shared"])
    roles = [
        Right(
            PREFIX + role.name,
            shared + tuple(name for scope in sorted(role.may) for name in table["opens"].get(scope, ())),
            role.sees.value,
            role.owner,
            level=role.level,
        )
        for role in load_roles().values()
    ]
    for name, raw in table["systems"].items():
        without = tuple(raw.get("without", ()))
        roles.append(Right(PREFIX + name, shared + tuple(raw["reads"]), without=without, level=raw["level"]))
    people = [
        Person(grant.name, PREFIX + grant.role_name, grant.branch_code, grant.rm_id, grant.last_day)
        for grant in read_grants(settings.api_tokens).values()
        if grant.role_name
    ]
    return Rights(tuple(roles), tuple(people))
