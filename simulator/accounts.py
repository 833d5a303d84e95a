"""Rows of the account feed."""

import numpy as np

from simulator.deliveries import Deliveries
from simulator.people import MAIN, People, account_no, customer_nos
from simulator.reference import PRODUCT_CODES, RATES
from simulator.text import NULL, coded, join, numbers


def report_accounts(
    deliveries: Deliveries,
    people: People,
    who: np.ndarray,
    suffix: np.ndarray | int,
    day: np.ndarray,
    opened: np.ndarray,
    product: np.ndarray,
    closed: np.ndarray | None = None,
    matures: np.ndarray | None = None,
) -> None:
    """Write the full rows of accounts that were opened or closed; ``suffix`` is the end of the account number."""
    index, nothing = people.index[who], np.full(len(who), NULL)
    deliveries.write(
        "accounts",
        {
            "account_no": account_no(index, suffix),
            "business_date": day,
            "customer_no": customer_nos(index),
            "authorised_customer_no": customer_nos(np.where(suffix == MAIN, people.authorised[who], -1)),
            "product_code": coded(PRODUCT_CODES, product),
            "branch_code": join("B", numbers(people.branch[who], 4)),
            "currency": coded(("CNY",), np.zeros(len(who), np.int64)),
            "opened_date": opened,
            "closed_date": nothing if closed is None else closed,
            "maturity_date": nothing if matures is None else matures,
            "interest_rate": RATES[product],
            "status": coded(("open", "closed"), np.full(len(who), 0 if closed is None else 1)),
        },
        day,
        index,
    )
