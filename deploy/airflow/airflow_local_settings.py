"""Airflow imports this when it starts, where this folder is on its path.

With the LocalExecutor, tasks are forked from the scheduler: what it has imported, none of them has to import again.
That is one second of each task, and four of each gate. After an update, restart the scheduler.
"""

import sys

# Where the metadata are in SQLite (the demonstration, tests): on a busy machine a component may hold the file for
# longer than the five seconds that SQLite waits by default, and the other's request would fail.
sqlite_connect_args = {"timeout": 120}  # seconds

if "scheduler" in sys.argv:
    import great_expectations  # noqa: F401

    import c360.pipeline  # noqa: F401
    from lakehouse.contracts import load_feeds

    load_feeds()
