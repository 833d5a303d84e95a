"""Which customers and actions a person sees, of one publish."""

from collections.abc import Mapping

from c360.access import Grant, Sees
from c360.api.resources import RESOURCES
from c360.api.snapshot import Snapshot

CUSTOMER, WORKLIST = (next(one for one in RESOURCES if one.name == name) for name in ("customers", "worklist"))
_PLACE = ("branch_code", "rm_id", "owner", "is_handed_out")


def sees_customer(person: Grant, shown: Snapshot, customer_key: str) -> bool:
    """Whether a person may look at a customer; of one that does not exist, no."""
    if person.sees is Sees.none or not shown.has(CUSTOMER, customer_key):
        return False
    if person.sees is Sees.all:
        return True
    (row,) = shown.rows(CUSTOMER, {"customer_key": customer_key}, ("home_branch_code", "rm_id"))
    place = {"branch_code": row["home_branch_code"], "rm_id": row["rm_id"]}
    actions = shown.rows(WORKLIST, {"customer_key": customer_key}, _PLACE)
    return any(sees_place(person, one) for one in (place, *actions))


def sees_place(person: Grant, place: Mapping[str, object]) -> bool:
    """Whether a person sees what has this branch, manager and owner: an action, or a customer."""
    match person.sees:
        case Sees.all:
            return True
        case Sees.branch:
            return place.get("branch_code") is not None and place.get("branch_code") == person.branch_code
        case Sees.own:
            return place.get("rm_id") is not None and place.get("rm_id") == person.rm_id
        case Sees.listed:
            return place.get("owner") == person.owner and bool(place.get("is_handed_out"))
        case Sees.none:
            return False


def own_filter(person: Grant) -> dict[str, object]:
    """Columns of the worklist that are fixed for a person: no other rows are theirs."""
    match person.sees:
        case Sees.branch:
            return {"branch_code": person.branch_code}
        case Sees.own:
            return {"rm_id": person.rm_id}
        case Sees.listed:
            return {"owner": person.owner, "is_handed_out": True}
        case _:
            return {}


def sees_case(person: Grant, shown: Snapshot, case: Mapping[str, object]) -> bool:
    """Whether a person sees a case: of a customer whoever sees the customer, else whoever watches over the system."""
    if case["customer_key"] is not None:
        return sees_customer(person, shown, str(case["customer_key"]))
    return person.sees in (Sees.all, Sees.none) and person.may("status:read")
