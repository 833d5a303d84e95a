"""What the commands share: printing, errors, and the options that several of them have."""

import json
import logging
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from copy import copy
from dataclasses import is_dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from c360.telemetry import logs
from lakehouse.errors import Stop, stop_of
from lakehouse.language import ENGLISH, Language, Voice

# Without markup: a name or a message in brackets is text, and not a style that may not exist.
console, errors = Console(markup=False), Console(stderr=True, markup=False)
_ON_SCREEN = ExitStack()  # what shows itself until the command ends
INTERRUPTED = 130  # the exit code of what Ctrl-C ended
WIDEST = 180  # columns of a table of figures
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Target = Annotated[
    str | None, typer.Option(help="Engine and store: duckdb or postgres; by default C360_TARGET or duckdb.")
]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]
log = logging.getLogger(__name__)
_SPOKEN = ContextVar("spoken", default=ENGLISH)


def _speak(language: Language) -> Language:
    _SPOKEN.set(Voice(language))
    return language


Lang = Annotated[Language, typer.Option("--lang", callback=_speak, help="Language of what is printed and of the page.")]


def spoken() -> Voice:
    """The language of the command that runs, by its ``--lang``."""
    return _SPOKEN.get()


class StoppingGroup(TyperGroup):
    """The root of the commands: a ``Stop`` is printed with its remedy and ends with exit code 1, Ctrl-C with 130.

    Every command has ``--lang``, also one whose function does not ask for it: `spoken` is what it then prints by.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # the types are typer's alone
        super().__init__(*args, **kwargs)
        _give_language(self)

    def invoke(self, ctx: Any) -> Any:  # the type is typer's alone
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _fail(spoken()("stopped by Ctrl-C: what was not finished is left out; run it again to go on"))
            raise typer.Exit(INTERRUPTED) from None
        except Exception as failure:
            if isinstance(failure, TyperException | typer.Exit | typer.Abort):
                raise
            if stop := failure if isinstance(failure, Stop) else stop_of(failure):
                _fail("\n".join([f"stopped: {stop}", *getattr(failure, "__notes__", ())]))
                raise typer.Exit(1) from failure
            if not logs.is_json():
                raise
            log.error("the command failed", exc_info=failure)
            raise typer.Exit(1) from None
        finally:
            _ON_SCREEN.close()


def _fail(text: str) -> None:
    """Say why a command ends: in red, or as a line of the log."""
    if logs.is_json():
        log.error(text)
    else:
        errors.print(text, style="red", markup=False, highlight=False, soft_wrap=True)


def _give_language(group: Any) -> None:
    """Add ``--lang`` to every command below a group that lacks it."""
    for command in group.commands.values():
        if hasattr(command, "commands"):
            _give_language(command)
        elif not any("--lang" in parameter.opts for parameter in command.params):
            command.params.append(copy(_language_option()))


@cache
def _language_option() -> Any:
    """The option as a command has it whose function does not take it."""
    alone = typer.Typer(add_completion=False)

    @alone.command()
    def one(lang: Lang = "en") -> None:
        """A command with nothing else."""

    (option,) = (parameter for parameter in get_command(alone).params if "--lang" in parameter.opts)
    option.expose_value = False
    return option


def tell(text: str, **values: object) -> None:
    """Print a sentence of the list of words in the reader's language; what it tells of is not cut at the margin."""
    console.print(spoken()(text, **values), soft_wrap=True, highlight=False)


def group_of(default: str) -> type[TyperGroup]:
    """A group whose command ``default`` need not be named: ``c360 erase KEY`` is ``c360 erase person KEY``."""

    class Group(TyperGroup):
        default_command = default

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # the type is typer's alone
            is_named = not args or args[0] in self.commands or args[0] == "--help"
            return super().parse_args(ctx, args if is_named else [default, *args])

    return Group


def show(
    content: object,
    as_json: bool,
    tables: Callable[[], Iterable[RenderableType]] | None = None,
) -> None:
    """Print as JSON, or as tables, or, where there are none, a line per name.

    Parameters
    ----------
    content : mapping or dataclass
        Of names and values.
    """
    if as_json:
        typer.echo(json_of(content))
    elif tables is not None:
        for table in tables():
            _print_whole(table)
    else:
        for name, value in (content if isinstance(content, Mapping) else vars(content)).items():
            console.print(labelled(name, value), soft_wrap=True, highlight=False)


def labelled(name: str, value: object) -> Text:
    """A line: a name in bold, and what it is."""
    return Text.assemble((spoken().heading(name), "bold"), f" {in_words(value, spoken())}")


def in_words(value: object, say: Voice = ENGLISH) -> str:
    """A value for people.

    >>> in_words({"transactions": 1200, "wallet_payments": None})
    'transactions 1,200, wallet payments none'
    >>> in_words([]), in_words(2.2261619567871094), in_words(True), in_words(False, Voice("zh"))
    ('none', '2.226', 'yes', '否')
    """
    if value is None:
        return say("none")
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Mapping):
        return say.listed([f"{say.code(name)} {in_words(part, say)}" for name, part in value.items()]) or say("none")
    if isinstance(value, list | tuple | set | frozenset):
        return say.listed([in_words(part, say) for part in value]) or say("none")
    return str(value)


def table_of(rows: Sequence[Mapping[str, object]], *without: str) -> Table:
    """Rows that have the same names, as a table; some columns are for programs alone."""
    if not rows:
        return Table(spoken()("nothing"))
    names = [name for name in rows[0] if name not in without]
    table = Table(*names)
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in names))
    return table


def _cell(value: object) -> str:
    """A value as it is; nothing of none, and what is true or not in words."""
    return in_words(value, spoken()) if isinstance(value, bool) else "" if value is None else str(value)


def _print_whole(content: RenderableType) -> None:
    """Print a table of figures as wide as it is: in a small window, or a pipe of 80 columns, figures lost digits."""
    if not isinstance(content, Table):
        console.print(content, soft_wrap=not isinstance(content, Panel), highlight=False)
        return
    for column in content.columns:
        if isinstance(column.header, str):
            column.header = spoken().heading(column.header)
        column.overflow = "fold"  # Chinese has no spaces at which a line could end: it was cut off
    needed = Measurement.get(console, console.options.update(max_width=2 * WIDEST), content).maximum
    width = max(console.width, needed if needed <= WIDEST else 0)  # sentences in cells are folded
    Console(file=console.file, markup=False, width=width).print(content, crop=False)


def json_of(content: object) -> str:
    """The content as JSON; a dataclass by its fields, or as its ``document()`` says."""
    return json.dumps(content, default=_plain, ensure_ascii=False, indent=1)


def write_page(path: Path | None, page: Callable[[], str]) -> None:
    """Write an HTML page, if a path is given."""
    if path:
        with writing(path):
            path.write_text(page(), encoding="utf-8")


@contextmanager
def writing(path: Path) -> Generator[None]:
    """A block that writes a file or folder.

    Raises
    ------
    Stop
        If the system refuses it.
    """
    try:
        yield
    except OSError as error:
        raise Stop(f"{path} cannot be written: {error}", "name a place that you may write") from error


def day_of(moment: datetime | None) -> date | None:
    """The date of an option, or None where it is not given."""
    return moment.date() if moment else None


def progress(lake: Path | None = None) -> Callable[[str], None]:
    """A function that prints a line with the seconds since now.

    On a terminal a last line says what is at work on the lake, and for how long yet.
    """
    began = monotonic()
    if lake is not None:
        show_work(lake)
    if logs.is_json():
        return log.info
    return lambda line: errors.print(
        Text.assemble((f"{monotonic() - began:6.1f} s", "dim"), f" {line}"), highlight=False, soft_wrap=True
    )


@contextmanager
def long_work(lake: Path | None, name: str) -> Generator[None]:
    """A block that takes long: the terminal and the workbench show that it is at work, and for how long yet.

    Of what is about no lake, such as a bank to be made, the terminal alone shows it.
    """
    from lakehouse.lake.running import working

    show_work(lake)
    with working(lake, name):
        yield


def show_work(lake: Path | None) -> None:
    """On a terminal: a last line with what is at work on the lake, or in this process, until the command ends."""
    if errors.is_terminal:
        _ON_SCREEN.enter_context(errors.status(_AtWork(lake)))


class _AtWork:
    """What is at work, read anew every second."""

    def __init__(self, lake: Path | None) -> None:
        self._lake, self._read, self._line = lake, -1.0, Text()

    def __rich__(self) -> Text:
        from c360.progress import going_on, line_of

        if monotonic() - self._read >= 1:
            now = datetime.now(UTC)
            lines = [line_of(going, now, spoken()) for going in going_on(self._lake, now)]
            self._read, self._line = monotonic(), Text("\n".join(lines), "dim", no_wrap=True, overflow="ellipsis")
        return self._line


def _plain(value: object) -> object:
    """What JSON has no form for: a dataclass as a mapping, anything else (dates, amounts, paths) as text."""
    if hasattr(value, "document"):
        return value.document()
    return vars(value) if is_dataclass(value) else str(value)
