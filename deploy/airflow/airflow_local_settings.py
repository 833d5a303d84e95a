"""Airflow imports this when it starts, where this folder is on its path.

With the LocalExecutor, tasks are forked from the scheduler: what it has imported, none of them has to import again.
That is one second of each task, and four of each gate. After an update, restart the scheduler.
"""

import sys

if "scheduler" in sys.argv:
    import great_expectations  # noqa: F401

    import c360.pipeline  # noqa: F401
    from lakehouse.contracts import load_feeds

    load_feeds()
