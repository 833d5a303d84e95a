"""The audit: what was done, by whom, in records that are linked by hashes, so that nothing is changed unseen."""

from lakehouse.lake.audit.chain import Entry, Head, Record, append, entry, head, read
from lakehouse.lake.audit.gathering import gather
from lakehouse.lake.audit.sealing import replacing, reseal, seal
from lakehouse.lake.audit.verification import Break, Verified, verify

__all__ = [
    "Break",
    "Entry",
    "Head",
    "Record",
    "Verified",
    "append",
    "entry",
    "gather",
    "head",
    "read",
    "replacing",
    "reseal",
    "seal",
    "verify",
]
