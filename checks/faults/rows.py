"""The faults of which the table has a row, and on which stores each has to be measured."""

from dataclasses import dataclass

LAKE = ("lake",)  # before any store: ingestion and lake are the same for both
DUCKDB, POSTGRES = ("duckdb",), ("postgres",)
BOTH = (*DUCKDB, *POSTGRES)


@dataclass(frozen=True)
class Row:
    """A fault, by the name that tests give it in their marker."""

    name: str
    told: str
    stores: tuple[str, ...]


ROWS = (
    Row("same_file", "the same file twice", (*LAKE, *BOTH)),
    Row("other_bytes", "re-delivery, same version with other bytes", LAKE),
    Row("manifest", "manifest truncated, altered, disagreeing", LAKE),
    Row("missing_days", "missing and empty days, empty snapshots", (*LAKE, *DUCKDB)),
    Row("late_rows", "late rows; answers as of an earlier date again", DUCKDB),
    Row("orders", "all orders of five days", (*LAKE, *DUCKDB)),
    Row("columns", "columns new, missing, renamed, retyped, reordered", LAKE),
    Row("texts", "encodings, NUL, CR, quotes, fields of 10 MB", LAKE),
    Row("keys", "keys null, double, orphan", LAKE),
    Row("impossible", "amounts and dates impossible", LAKE),
    Row("formulas", "formulas in text, in every export", DUCKDB),
    Row("kill_steps", "SIGKILL at every step boundary", (*LAKE, *BOTH)),
    Row("kill_moments", "SIGKILL at random moments", (*LAKE, *BOTH)),
    Row("disk_full", "disk full, each folder at each step", BOTH),
    Row("at_once", "a date twice at once", BOTH),
    Row("zombie", "a zombie that wakes after its retry", BOTH),
    Row("airflow", "Airflow: metadata lost, scheduler and worker killed, back-fill over everything", DUCKDB),
    Row("postgres_killed", "Postgres killed at load, commit, publish", POSTGRES),
    Row("connections", "connections dropped", POSTGRES),
    Row("correction", "history corrected: a day with one changed cent, delivered again", DUCKDB),
    Row("differences", "a report of what a correction changed", DUCKDB),
    Row("labels", "labels missing, one class, constant feature", LAKE),
    Row("clock", "wrong clock", DUCKDB),
    Row("lake_file", "lake file changed, lost, torn", (*LAKE, *DUCKDB)),
    Row("secret", "secret lost", LAKE),
    Row("machine_lost", "the machine lost: another one, from the backup", BOTH),
    Row("memory", "too little memory", DUCKDB),
    Row("slow_disk", "slow disk: a run that stands still again and again", BOTH),
)
