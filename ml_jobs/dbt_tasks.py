"""Write the list of scores that dbt knows from the task files.

Run as ``python -m ml_jobs.dbt_tasks``.
"""

from pathlib import Path

from lakehouse.settings import PROJECT
from ml_jobs.task_file import Task, load_tasks

LIST = PROJECT / "dbt_project" / "macros" / "score_tasks.sql"
HEADER = "{# Written by `python -m ml_jobs.dbt_tasks` from ml_jobs/tasks/: change those. #}\n"


def written() -> dict[Path, str]:
    """The file that this module writes, with its text: the macro `score_tasks`."""
    tasks = ",\n".join(f"    {_entry(task)}" for task in load_tasks().values())
    return {LIST: f"{HEADER}{{% macro score_tasks() %}}{{{{ return([\n{tasks},\n]) }}}}{{% endmacro %}}\n"}


def _entry(task: Task) -> str:
    """One score as Jinja has it; of several horizons the last stands for it, since a curve begins like other scores."""
    assert task.title  # every task of the bank has one
    measure = "uplift" if task.treatment else "probability"
    horizon_days = max(task.horizons, default=task.horizon_days)
    is_dated = str(task.dated_reasons).lower()
    return (
        f"{{'task': '{task.task}', 'measure': '{measure}', 'horizon_days': {horizon_days},\n"
        f"     'is_dated': {is_dated}, 'is_curve': {str(bool(task.horizons)).lower()},\n"
        f"     'en': '{task.title.en}',\n     'zh': '{task.title.zh}'}}"
    )


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")
