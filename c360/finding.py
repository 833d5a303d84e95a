"""Finds customers, for the workbench and for commands: by a key, or by a number that is known by its token alone."""

from c360.reports import Query
from lakehouse.ingestion.rules import token_of
from lakehouse.settings import Settings

# how a number is hashed on its way into the lake: by the contract's column of that name
HANDLES = {
    "account": ("accounts", "account_no"),
    "card": ("cards", "card_no"),
    "phone": ("customers", "phone"),
    "document": ("customers", "id_no"),
}
WAYS = ("key", *HANDLES)


def keys_of(settings: Settings, query: Query, way: str, value: str) -> list[str]:
    """The customers that a number belongs to; it goes into the query as its token.

    Parameters
    ----------
    way : str
        One of `WAYS`; of any other nobody is found.
    """
    if way == "key":
        sql = "select distinct customer_key from marts.dim_party where customer_key = $1 or party_key = $1 order by 1"
        return query(sql, (value,))["customer_key"].to_pylist()
    number = "".join(value.split())  # people write numbers in groups
    if way not in HANDLES or not (token := token_of(settings.token_secret, *HANDLES[way], number)):
        return []
    sql = "select customer_key from marts.customer_handles where handle_kind = $1 and handle_token = $2 order by 1"
    return query(sql, (way, token))["customer_key"].to_pylist()
