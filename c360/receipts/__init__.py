"""Receipts: why each action was handed out or withheld and each high score given, kept so that it can be done again."""

from c360.receipts.files import Receipts, find, newest, read
from c360.receipts.replaying import Replayed, replay
from c360.receipts.showing import shown, tables
from c360.receipts.verification import verify
from c360.receipts.writing import write_receipts

__all__ = ["Receipts", "Replayed", "find", "newest", "read", "replay", "shown", "tables", "verify", "write_receipts"]
