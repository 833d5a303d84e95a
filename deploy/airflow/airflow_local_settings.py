"""Airflow imports this when it starts, where this folder is on its path.

With the LocalExecutor, tasks are forked from the scheduler: what it has imported, none of them has to import again.
That is one second of each task, four of each gate, three of what runs dbt or a model. After an update, restart the
scheduler.
"""

import sys
from importlib import import_module

# Where the metadata are in SQLite (the demonstration, tests): on a busy machine a component may hold the file for
# longer than the five seconds that SQLite waits by default, and the other's request would fail.
sqlite_connect_args = {"timeout": 120}  # seconds

if "scheduler" in sys.argv:
    for module in ("dbt.cli.main", "great_expectations", "skops.io", "c360.pipeline"):
        import_module(module)
    import_module("lakehouse.contracts").load_feeds()
