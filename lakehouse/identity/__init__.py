"""Record linkage: party records joined into customers by evidence in the lake, with the history of each customer."""

from lakehouse.identity.link import link, unbelieved

__all__ = ["link", "unbelieved"]
