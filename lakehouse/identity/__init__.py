"""Who is who: party records joined into customers by evidence in the lake."""

from lakehouse.identity.link import link

__all__ = ["link"]
