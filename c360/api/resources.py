"""What the API serves: one published table per resource, by its key, filtered by some of its columns."""

from dataclasses import dataclass

# scopes of c360/access/roles.yml
CUSTOMERS, SCORES, ACTIONS, METRICS = "customers:read", "scores:read", "actions:read", "metrics:read"


@dataclass(frozen=True)
class Resource:
    """A published table under ``/api/v1/<name>``; of a customer, also under ``/api/v1/customers/<key>/<name>``."""

    name: str
    table: str
    key: tuple[str, ...]  # unique; pages are in its order
    scope: str
    filters: tuple[str, ...] = ()  # columns that a request may fix
    is_of_customer: bool = True  # some rows per customer


RESOURCES = (
    Resource(
        "customers",
        "marts.customer_360",
        ("customer_key",),
        CUSTOMERS,
        ("home_branch_code", "rm_id", "star_tier", "life_cycle_stage", "party_type"),
        is_of_customer=False,
    ),
    Resource(
        "changes", "marts.customer_changes", ("customer_key", "change_rank"), CUSTOMERS, ("change_kind", "change_date")
    ),
    Resource("scores", "scores.customer_scores", ("task", "customer_key"), SCORES, ("task", "band")),
    Resource("reasons", "scores.score_reasons", ("task", "customer_key", "place"), SCORES, ("task", "direction")),
    Resource(
        "worklist",
        "actions.worklist",
        ("action_id",),
        ACTIONS,
        ("branch_code", "rm_id", "owner", "source", "channel", "is_handed_out", "action_state"),
    ),
)
