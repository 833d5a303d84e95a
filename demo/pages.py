"""Everything that a demo made, from one page: reports, gates, models, and how to ask further."""

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from c360.reports import customer, forecast, handover, segments, survival, worklist
from demo.docs import docs_page
from lakehouse import pages, warehouse
from lakehouse.errors import Stop
from lakehouse.lake import appearing
from lakehouse.lake.model_files import newest_model
from lakehouse.language import Language
from lakehouse.settings import Settings
from ml_jobs.task_file import load_tasks

TEMPLATES = Path(__file__).with_name("templates")
INDEX = "index.html"
GRANT = "app grant S0001 --role auditor"  # who sees everything
_RICHEST = "select customer_key from marts.customer_360 order by aum_amount desc, customer_key limit 1"
_BUSIEST = """
    select rm_id
    from marts.rm_assignment
    where is_current
    group by rm_id
    order by count(*) desc, rm_id
    limit 1
"""


@dataclass(frozen=True)
class Link:
    """A page, and what is on it; without a page, why there is none."""

    title: str
    about: str
    path: str | None  # relative to the folder of the demo
    in_chinese: str | None = None  # the same page


def write_index(settings: Settings) -> Path:
    """Write the pages of the reports, and ``index.html`` over them and over what the runs wrote.

    The links are relative: the folder may move.

    Returns
    -------
    Path
        The index.
    """
    folder = settings.lake.parent
    sections = {
        "Customers": _reports(settings, folder),
        "What stopped a day, or would have": [
            _made(folder, "Gates", "every expectation on every date", folder / "data_docs" / INDEX)
        ],
        "Tables": [
            _made(
                folder,
                "Tables and columns",
                "every model, with its tests and where it comes from",
                docs_page(settings),
            )
        ],
        "Models": [_card(settings, folder, name) for name in load_tasks()],
    }
    commands = {
        "state, and what failed": in_shell(settings, "status"),
        "every setting, seed and limit": in_shell(settings, "doctor"),
        "runs and logs in Airflow": look_again(settings),
        "a token to sign in to the workbench with": in_shell(settings, GRANT),
        "the workbench, then at http://127.0.0.1:8360/": in_shell(settings, "app serve"),
    }
    index = folder / INDEX
    content = {"sections": sections, "commands": commands, "date": warehouse.last_published(settings)}
    with appearing(index) as temporary:
        text = pages.environment(TEMPLATES).get_template("index.html.j2").render(content)
        temporary.write_text(text, encoding="utf-8")
    return index


def in_shell(settings: Settings, command: str) -> str:
    """A command of ``c360`` on the demo, as it is typed."""
    env = shlex.quote(f"./{os.path.relpath(settings.lake.parent)}/env")
    return f"(set -a; . {env}; .venv/bin/c360 {command})"


def look_again(settings: Settings) -> str:
    """The command that opens Airflow on the demo."""
    source = "" if settings.deployment.stem == "simulated" else f" --source {settings.deployment.stem}"
    return f".venv/bin/python -m demo --look{source}"


def _reports(settings: Settings, folder: Path) -> list[Link]:
    """A page of each report: of the customer to turn to first, and of the manager with most customers."""
    todo = worklist.read(settings)
    key = todo.actions[0]["customer_key"] if todo.actions else _value(settings, _RICHEST)
    rm_id = _value(settings, _BUSIEST)

    def of_customer(language: Language) -> str:
        return customer.page(customer.read(settings, key), language)

    def of_manager(language: Language) -> str:
        return handover.page(handover.read(settings, rm_id), language)

    return [
        _report(folder, name, title, about, page)
        for name, title, about, page in (
            ("worklist", "Worklist", "what is to be done, for whom and why", partial(worklist.page, todo)),
            ("customer", f"Customer {key}", "one customer on one page", of_customer),
            ("handover", f"Hand-over of {rm_id}", "what a manager who leaves hands on", of_manager),
            (
                "segments",
                "Groups",
                "customers without a manager",
                lambda language: segments.page(segments.read(settings), language),
            ),
            (
                "survival",
                "Survival",
                "how long customers stay",
                lambda language: survival.page(survival.read(settings), language),
            ),
            (
                "forecast",
                "Forecast",
                "balances by week",
                lambda language: forecast.page(forecast.read(settings, {}), language),
            ),
        )
    ]


def _report(folder: Path, name: str, title: str, about: str, page: Callable[[Language], str]) -> Link:
    paths: dict[Language, Path] = {
        "en": folder / "reports" / f"{name}.html",
        "zh": folder / "reports" / f"{name}_zh.html",
    }
    for language, path in paths.items():
        try:
            text = page(language)
        except Stop as none:
            return Link(title, str(none), None)
        with appearing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return Link(title, about, *(path.relative_to(folder).as_posix() for path in paths.values()))


def _card(settings: Settings, folder: Path, task: str) -> Link:
    model = newest_model(settings, task)
    if model is None:
        return Link(task, "abstains: the data do not support it", None)
    return _made(folder, task, "how good the model is, and what it goes by", model / "card.html")


def _made(folder: Path, title: str, about: str, path: Path) -> Link:
    """A link to what is there; what is not is said."""
    if not path.exists():
        return Link(title, "was not made", None)
    return Link(title, about, Path(os.path.relpath(path, folder)).as_posix())


def _value(settings: Settings, sql: str) -> str:
    """The one text that a query of the published tables finds, or a dash."""
    rows = warehouse.query_serving(settings, sql).to_pylist()
    return next(iter(rows[0].values())) if rows else "-"
