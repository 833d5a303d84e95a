"""Every command has ``--lang``, and whatever it prints for people is on the list of words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from c360.cli.main import app
from lakehouse.language import Voice
from lakehouse.settings import PROJECT
from tests.lakehouse.test_language import ABBREVIATIONS, CHINESE

PRINTING = {"print", "echo"}  # methods of consoles, and of typer
HEADING = {"Table", "add_column", "labelled", "_table"}  # what stands over columns, or before a value
SAYING = {"say", "spoken", "tell"}
FILES = [
    *sorted((PROJECT / "c360" / "cli").glob("*.py")),
    *sorted((PROJECT / "ml_jobs" / "quality").glob("*.py")),
    PROJECT / "lakehouse" / "identity" / "evaluation.py",
]
SAME = ABBREVIATIONS | {"ROC AUC"}
BRANDS = {"http"}  # an address


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command by the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def called(node: ast.Call) -> str:
    """The name of what is called; of ``spoken()(...)`` the inner one."""
    of = node.func.func if isinstance(node.func, ast.Call) else node.func
    return getattr(of, "id", None) or getattr(of, "attr", "")


def written(node: ast.AST) -> Iterator[str]:
    """The words in an argument that no voice is asked for: literals, and what stands between values."""
    if isinstance(node, ast.Call) and called(node) in SAYING:
        return
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str) and re.search(r"[A-Za-z]{3}", node.value):
            yield node.value
        return
    if isinstance(node, ast.Subscript | ast.Call):  # a value by its name, a format, a separator
        return
    for part in ast.iter_child_nodes(node):
        yield from written(part)


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            yield node


def test_every_command_is_asked_in_either_language() -> None:
    found = dict(commands(get_command(app)))
    assert len(found) > 50
    options = {name: [one for one in command.params if "--lang" in one.opts] for name, command in found.items()}
    assert {name for name, given in options.items() if len(given) != 1} == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_printed_that_is_not_on_the_list(path: Path) -> None:
    bare = [text for node in calls(path) if called(node) in PRINTING for one in node.args for text in written(one)]
    assert [text for text in bare if text.partition(":")[0] not in BRANDS] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_heading_is_on_the_list(path: Path) -> None:
    say = Voice("zh")
    heads = {
        part.value
        for node in calls(path)
        if called(node) in HEADING
        for one in (node.args[:1] if called(node) == "labelled" else node.args)
        for part in (one.elts if isinstance(one, ast.Tuple | ast.List) else [one])
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value
    }
    assert {head for head in heads if not CHINESE.search(say.heading(head))} <= SAME


def test_a_bare_text_is_found() -> None:
    """The tests above fail on it."""
    tree = ast.parse('console.print(f"{count} loans", say("none"))')
    assert [text for node in ast.walk(tree) if isinstance(node, ast.Call) for one in node.args for text in written(one)]
