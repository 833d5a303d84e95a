"""Who may do what, and whose customers they see: one table, `roles.yml`, for the API, the workbench and Postgres."""

from c360.access.noting import events_of
from c360.access.postgres import load_rights
from c360.access.register import Grant, Register, add_person, add_token, hash_of, read_grants, revoke_token
from c360.access.roles import SCOPES, Role, Sees, least_group_size, load_roles

__all__ = [
    "SCOPES",
    "Grant",
    "Register",
    "Role",
    "Sees",
    "add_person",
    "add_token",
    "events_of",
    "hash_of",
    "least_group_size",
    "load_rights",
    "load_roles",
    "read_grants",
    "revoke_token",
]
