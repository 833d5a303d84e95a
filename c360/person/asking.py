"""Who may have the record of a person: whoever has a token of a role with the right, as in the workbench."""

from datetime import UTC, datetime

from c360.access import Grant, Register, Sees, hash_of
from lakehouse.errors import Stop
from lakehouse.settings import Settings

SCOPE = "persons:export"


def allowed(settings: Settings, token: str) -> Grant:
    """The person whose token it is, if their role may export persons and sees every customer.

    Raises
    ------
    Stop
        If nobody has the token, it has run out, or the role may not.
    """
    found = Register(settings.api_tokens).find(hash_of(token), datetime.now(UTC).date()) if token else None
    if found is None:
        raise Stop(
            "the record of a person is given to whoever has a token that holds",
            "set C360_TOKEN; `c360 app grant NAME --role privacy_officer` makes one",
        )
    if not (found.role_name and found.may(SCOPE) and found.sees is Sees.all):
        raise Stop(
            f"the role {found.role_name or 'of a system'} may not export a person's record",
            f"ask somebody whose role has {SCOPE} in c360/access/roles.yml",
        )
    return found
