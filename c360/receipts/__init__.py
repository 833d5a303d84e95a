"""Receipts: why each action was handed out or withheld and each high score given, kept so that it can be done again."""

from c360.receipts.files import Receipts, find, newest, read
from c360.receipts.replaying import Replayed, replay
from c360.receipts.showing import Kept, kept, shown, tables
from c360.receipts.verification import verify
from c360.receipts.writing import keep_receipts, prepare_receipts

__all__ = [
    "Kept",
    "Receipts",
    "Replayed",
    "find",
    "keep_receipts",
    "kept",
    "newest",
    "prepare_receipts",
    "read",
    "replay",
    "shown",
    "tables",
    "verify",
]
