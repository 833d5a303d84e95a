"""Erasure of a person from the lake and the landing folder, and its proof; see docs/PRIVACY.md."""

from lakehouse.erasure.erasing import Plan, erase_from_lake, finish, look_at, replay
from lakehouse.erasure.proving import Left, LookedThrough, look_through

__all__ = ["Left", "LookedThrough", "Plan", "erase_from_lake", "finish", "look_at", "look_through", "replay"]
