"""Gates: what stops a day, and what is said beside it; the expectations are those of ``suites/``."""

from pathlib import Path

SUITES = Path(__file__).with_name("suites")
