"""Who is who: party records joined into customers by evidence in the lake."""

from c360.identity.link import link

__all__ = ["link"]
