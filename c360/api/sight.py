"""Which customers and actions a person sees, of one publish; the API and the workbench ask here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from c360.access import Grant, Sees
from c360.api.resources import RESOURCES, Resource
from c360.api.snapshot import Snapshot

CUSTOMER, WORKLIST = (next(one for one in RESOURCES if one.name == name) for name in ("customers", "worklist"))
_PLACE = ("branch_code", "rm_id", "owner", "is_handed_out")


@dataclass(frozen=True)
class Cut:
    """What of one publish is seen by whoever sees no more than a branch, a manager's number, or an owner's list."""

    person: Grant
    shown: Snapshot

    @cached_property
    def actions(self) -> np.ndarray:
        """Places of the worklist's rows that are theirs, in order."""
        fixed = own_filter(self.person)
        return np.asarray(self.shown.find(WORKLIST, fixed) if fixed else [], dtype=np.int64)

    @cached_property
    def customers(self) -> frozenset[str]:
        """Those whom their branch or manager keeps, or for whom the worklist gives them something to do."""
        kept = {Sees.branch: {"home_branch_code": self.person.branch_code}, Sees.own: {"rm_id": self.person.rm_id}}
        fixed = kept.get(self.person.sees)
        found = self.shown.rows(CUSTOMER, fixed, ("customer_key",)) if fixed else []
        if own := own_filter(self.person):
            found += self.shown.rows(WORKLIST, own, ("customer_key",))
        keys = {str(row["customer_key"]) for row in found if row["customer_key"] is not None}
        return frozenset(key for key in keys if self.shown.has(CUSTOMER, key))

    def rows(self, resource: Resource) -> np.ndarray:
        """Places of the rows of a resource that they see, in order."""
        return self.actions if resource is WORKLIST else self._of_customers[resource.name]

    @cached_property
    def _of_customers(self) -> dict[str, np.ndarray]:
        others = (resource for resource in RESOURCES if resource is not WORKLIST)
        return {resource.name: self.shown.places_of(resource, self.customers) for resource in others}


def cut_of(person: Grant, shown: Snapshot) -> Cut | None:
    """What a person sees of a publish, made once for all who see the same; None: everything."""
    if person.sees is Sees.all:
        return None
    return shown.once(sight_of(person), lambda: Cut(person, shown))


def sight_of(person: Grant) -> tuple[str, ...]:
    """What two people have in common who see the same."""
    return str(person.sees), person.branch_code or "", person.rm_id or "", person.owner or ""


def sees_customer(person: Grant, shown: Snapshot, customer_key: str) -> bool:
    """Whether a person may look at a customer; of one that does not exist, no."""
    cut = cut_of(person, shown)
    return shown.has(CUSTOMER, customer_key) if cut is None else customer_key in cut.customers


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
