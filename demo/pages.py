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
from lakehouse.language import LANGUAGES, Language, Voice
from lakehouse.settings import Settings
from ml_jobs.task_file import Task, load_tasks

TEMPLATES = Path(__file__).with_name("templates")
INDEX = "index.html"
INDEXES: dict[Language, str] = {"en": INDEX, "zh": "index_zh.html"}
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


Said = dict[Language, str]  # a text in every language


@dataclass(frozen=True)
class Link:
    """A page, and what is on it; without a page, why there is none."""

    title: Said
    about: Said
    paths: dict[Language, str]  # relative to the folder of the demo; a page in one language is for readers of both


def write_index(settings: Settings) -> Path:
    """Write the pages of the reports, and an index in each language over them and over what the runs wrote.

    The links are relative: the folder may move.

    Returns
    -------
    Path
        The index in English.
    """
    folder = settings.lake.parent
    gates, docs = folder / "data_docs" / INDEX, docs_page(settings)
    sections = {
        "Reports": _reports(settings, folder),
        "What stopped a day, or would have": [
            _made(folder, both("Gates"), both("every expectation on every date"), gates)
        ],
        "Tables": [
            _made(folder, both("Tables and columns"), both("every model, with its tests and where it comes from"), docs)
        ],
        "Models": [_card(settings, folder, name, task) for name, task in load_tasks().items()],
    }
    commands = {
        "state, and what failed": in_shell(settings, "status"),
        "every setting, seed and limit": in_shell(settings, "doctor"),
        "runs and logs in Airflow": look_again(settings),
        "a token to sign in to the workbench with": in_shell(settings, GRANT),
        "the workbench, then at http://127.0.0.1:8360/": in_shell(settings, "app serve"),
    }
    content = {"sections": sections, "commands": commands, "date": warehouse.last_published(settings)}
    template = pages.environment(TEMPLATES).get_template("index.html.j2")
    for language in LANGUAGES:
        with appearing(folder / INDEXES[language]) as temporary:
            text = template.render(content, say=Voice(language), language=language, indexes=INDEXES)
            temporary.write_text(text, encoding="utf-8")
    return folder / INDEX


def both(text: str, **values: object) -> Said:
    """A text of the list of words in every language."""
    return {language: Voice(language)(text, **values) for language in LANGUAGES}


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

    manager, made = both("Hand-over of {number}", number=rm_id), folder / "reports"
    of_tail, of_stay = both("customers without a manager"), both("how long customers stay")
    what = both("what is to be done, for whom and why")
    return [
        _report(made / "worklist", both("Worklist"), what, lambda: partial(worklist.page, todo)),
        _report(
            made / "customer",
            both("Customer {key}", key=key),
            both("one customer on one page"),
            lambda: partial(customer.page, customer.read(settings, key)),
        ),
        _report(
            made / "handover",
            manager,
            both("what a manager who leaves hands on"),
            lambda: partial(handover.page, handover.read(settings, rm_id)),
        ),
        _report(made / "segments", both("Groups"), of_tail, lambda: partial(segments.page, segments.read(settings))),
        _report(made / "survival", both("Survival"), of_stay, lambda: partial(survival.page, survival.read(settings))),
        _report(
            made / "forecast",
            both("Forecast"),
            both("balances by week"),
            lambda: partial(forecast.page, forecast.read(settings, {})),
        ),
    ]


def _report(place: Path, title: Said, about: Said, read: Callable[[], Callable[[Language], str]]) -> Link:
    """Read a report, and write it beside the others, in each language."""
    paths: dict[Language, Path] = {"en": place.with_suffix(".html"), "zh": place.with_name(f"{place.name}_zh.html")}
    try:
        page = read()
        texts = {language: page(language) for language in LANGUAGES}
    except Stop as none:
        return Link(title, dict.fromkeys(LANGUAGES, str(none)), {})
    for language, path in paths.items():
        with appearing(path) as temporary:
            temporary.write_text(texts[language], encoding="utf-8")
    return Link(title, about, {language: f"{place.parent.name}/{path.name}" for language, path in paths.items()})


def _card(settings: Settings, folder: Path, name: str, task: Task) -> Link:
    title: Said = {"en": task.title.en, "zh": task.title.zh} if task.title else dict.fromkeys(LANGUAGES, name)
    model = newest_model(settings, name)
    if model is None:
        return Link(title, both("abstains: the data do not support it"), {})
    return _made(folder, title, both("how good the model is, and what it goes by"), model / "card.html")


def _made(folder: Path, title: Said, about: Said, path: Path) -> Link:
    """A link to what is there; what is not is said."""
    paths: dict[Language, Path] = {"en": path, "zh": path.with_stem(f"{path.stem}_zh")}
    there = {one: Path(os.path.relpath(made, folder)).as_posix() for one, made in paths.items() if made.exists()}
    return Link(title, about if there else both("was not made"), there)


def _value(settings: Settings, sql: str) -> str:
    """The one text that a query of the published tables finds, or a dash."""
    rows = warehouse.query_serving(settings, sql).to_pylist()
    return next(iter(rows[0].values())) if rows else "-"
