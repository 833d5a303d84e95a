"""The whole record of one person, as the law lets them ask for it: to read, and for a program; see docs/PRIVACY.md."""

from c360.person.asking import allowed
from c360.person.record import Record, find, read
from c360.person.writing import write

__all__ = ["Record", "allowed", "find", "read", "write"]
