"""Logs as lines of JSON, each with the run, business date, step and feed that it is about, and with no person.

``C360_LOG_FORMAT=json`` asks for them; without it, commands print for people. Tasks of Airflow log as Airflow is told
(``[logging] json_logs``), with the same context.
"""

import logging
import os
import sys
import traceback
from collections.abc import Generator, MutableMapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from lakehouse.errors import Stop, masked, without_values

FORMAT = "C360_LOG_FORMAT"
FORMATS = ("text", "json")
_TREE = Path(__file__).parents[2]
_OURS = ("c360", "lakehouse", "expectations", "ml_jobs", "simulator")  # their messages name no person


def is_json() -> bool:
    """Whether the environment asks for lines of JSON."""
    return os.environ.get(FORMAT) == "json"


def configure() -> None:
    """Send every log of this process to standard error, a line of JSON each, if the environment asks for it.

    Raises
    ------
    Stop
        If it asks for something that there is not.
    """
    wanted = os.environ.get(FORMAT) or FORMATS[0]
    if wanted not in FORMATS:
        raise Stop(f"{FORMAT} is {wanted!r}", f"give {' or '.join(FORMATS)}")
    if not is_json():
        return
    import structlog  # most commands do not wait for it

    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_named_by_kind)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_persons,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)


@contextmanager
def about(run_id: str, business_date: date, step: str, feed: str | None = None) -> Generator[None]:
    """A block whose logs say what they are about, whichever module writes them."""
    from structlog.contextvars import bound_contextvars  # the context that Airflow's logs read, too

    known = {"run_id": run_id, "business_date": str(business_date), "step": step, "feed": feed}
    with bound_contextvars(**{name: value for name, value in known.items() if value}):
        yield


def _named_by_kind(record: logging.LogRecord) -> bool:
    """An error that a message quotes is quoted without its values: a database's may quote a row."""
    if isinstance(record.args, tuple):
        record.args = tuple(without_values(one) if isinstance(one, BaseException) else one for one in record.args)
    return True


def _without_persons(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception by its kind and the places it came through; what others' libraries say without values."""
    failure = event.pop("exc_info", None)
    if isinstance(failure, tuple):
        failure = failure[1]
    if isinstance(failure, BaseException):
        event["error"] = without_values(failure)
        event["at"] = [
            f"{_short(frame.filename)}:{frame.lineno}" for frame in traceback.extract_tb(failure.__traceback__)
        ]
    event.pop("stack_info", None)
    if not str(event.get("logger", "")).startswith(_OURS):
        event["event"] = masked(str(event["event"]))
    return event


def _short(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(_TREE) if path.is_relative_to(_TREE) else path.name)
