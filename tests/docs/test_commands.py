"""Every command in the docs runs: shell and Python blocks page by page, and queries with the columns they print.

An HTML comment before a block says what cannot be run here: ``<!-- not run: REASON -->``; ``<!-- slow: REASON -->``
leaves it to ``make test-full``. Its commands and their options must then exist.
"""

import re
import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from c360.cli.main import app
from lakehouse.settings import PROJECT
from lakehouse.warehouse.publication import SCHEMAS
from tests.docs.pages import PAGES, Block, Page

LIMIT, LIMIT_OF_SLOW = 300, 1500  # seconds for the commands of one page
BLOCKS = [block for page in PAGES for block in page.blocks]
LEFT_OUT = [block for block in BLOCKS if block.language == "sh" and block.mark]  # of `make test`
QUERIES = [block for block in BLOCKS if block.language == "sql" and block.mark != "not run"]
RUNS = {"sh": "{}", "python": ".venv/bin/python - <<'PROGRAM'\n{}\nPROGRAM"}
ELSEWHERE = {"curl", "docker", "cd", "export", "set", "git", "echo", "redis-server"}  # not of this project
TABLE = re.compile(rf"({'|'.join(SCHEMAS)})\.\w+")
TARGETS = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE))


def pages_with(mark: str) -> list[str]:
    """Pages with commands or programs of that mark."""
    return [str(page) for page in PAGES if any(block.language in RUNS and block.mark == mark for block in page.blocks)]


def run(page: str, marks: set[str], limit: int, folder: Path, environment: dict[str, str]) -> None:
    """Run what a page says, one block after the other in one shell, as its reader does."""
    blocks = [block for block in BLOCKS if block.page == page and block.language in RUNS and block.mark in marks]
    script = "\n".join(f"echo '--- {block}' >&2\n{RUNS[block.language].format(block.text)}" for block in blocks)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]


@pytest.mark.parametrize("page", pages_with(""))
def test_commands_run(page: str, reader: Path, environment: dict[str, str]) -> None:
    run(page, {""}, LIMIT, reader, environment)


@pytest.mark.full
@pytest.mark.timeout(LIMIT_OF_SLOW + 60)
@pytest.mark.parametrize("page", pages_with("slow"))
def test_slow_commands_run_among_the_others(page: str, reader: Path, environment: dict[str, str]) -> None:
    run(page, {"", "slow"}, LIMIT_OF_SLOW, reader, environment)


def test_the_first_hour_of_the_readme_is_in_order() -> None:
    """The demo comes first; then its settings are read; only then is anything asked of it; its files are its own."""
    readme = PAGES[0]
    titles = [line.removeprefix("## ") for line in readme.lines if line.startswith("## ")]
    hour = ["Two commands", "What the demonstration shows", "Read the results", "Your feeds", "Where to read on"]
    assert [title for title in titles if title in hour] == hour
    lines = [line.strip() for block in readme.blocks if block.language in RUNS for line in block.text.splitlines()]
    assert lines[0].startswith("make demo")
    first_read = next(number for number, line in enumerate(lines) if "var/demo/env" in line)
    asking = [number for number, line in enumerate(lines) if "c360 " in line or "duckdb.connect" in line]
    assert asking and min(asking) > first_read > 0
    written = {"env", "index.html", "warehouse.duckdb", "data_docs/index.html", "model_docs/static_index.html"}
    named = {name.rstrip(".,`;") for line in readme.lines for name in re.findall(r"var/demo/([\w./-]+)", line)}
    assert named <= written


@pytest.mark.parametrize("block", QUERIES, ids=str)
def test_queries_run_and_have_the_columns_that_are_printed(block: Block, reader: Path) -> None:
    with duckdb.connect(str(reader / "var/demo/warehouse.duckdb"), read_only=True) as connection:
        columns = [name for name, *_ in connection.execute(block.text).description]
    if block.after.startswith("|"):
        assert [name.strip() for name in block.after.strip("|").split("|")] == columns


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_tables_that_are_named_are_published(page: Page, reader: Path) -> None:
    with duckdb.connect(str(reader / "var/demo/warehouse.duckdb"), read_only=True) as connection:
        tables = "select table_schema || '.' || table_name from information_schema.tables"
        published = {name for (name,) in connection.execute(tables).fetchall()}
    named = {span for _, span in page.code_spans if TABLE.fullmatch(span)}
    assert named - published == set()


@pytest.mark.parametrize("block", LEFT_OUT, ids=str)
def test_commands_that_are_not_run_exist(block: Block) -> None:
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z0-9_]+=.*", words[0]):
            del words[0]
        if not words or words[0] in ELSEWHERE:
            continue
        program, *arguments = words
        if program == "make":
            assert {word for word in arguments if "=" not in word} <= TARGETS, line
        elif Path(program).name == "c360":
            assert_known(arguments)
        else:
            assert (PROJECT / program).exists(), line
            if arguments[:1] == ["-m"]:
                assert find_spec(arguments[1]), line


def assert_known(arguments: list[str]) -> None:
    """The command of ``c360`` exists, and has the options that it is given."""
    command, path = get_command(app), []
    while below := getattr(command, "commands", {}):
        is_named = bool(arguments) and arguments[0] in below
        name = arguments[0] if is_named else getattr(command, "default_command", None)
        if name is None:
            break
        path.append(name)
        command, arguments = below[name], arguments[is_named:]
    help_page = CliRunner().invoke(app, [*path, "--help"])
    assert help_page.exit_code == 0
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in arguments if word.startswith("--")} <= options, " ".join(arguments)
