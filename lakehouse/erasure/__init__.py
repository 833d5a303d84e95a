"""Erasure of a person from the lake and the landing folder, and its proof; see docs/PRIVACY.md."""

from lakehouse.erasure.erasing import Plan, erase_from_lake, finish, look_at, replay

__all__ = ["Plan", "erase_from_lake", "finish", "look_at", "replay"]
