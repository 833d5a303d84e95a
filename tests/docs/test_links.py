"""What the pages point to is there: files, headings, folders of the tree, published tables."""

import re

import pytest

from lakehouse.settings import PROJECT
from tests.docs.pages import PAGES, Page

LANGUAGES = {"sh", "python", "sql", "yaml", "json", "text", "mermaid"}
FOLDERS = sorted(path.name for path in PROJECT.iterdir() if path.is_dir() and not path.name.startswith((".", "var")))
PATH = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./-]*")
LONGEST = 120
pages = pytest.mark.parametrize("page", PAGES, ids=str)


@pages
def test_links_lead_somewhere(page: Page) -> None:
    broken = []
    for line, target in page.links:
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.path.parent / name).resolve() if name else page.path
        if not path.exists() or (anchor and anchor not in Page(path).anchors):
            broken.append(f"{page}:{line} {target}")
    assert broken == []


@pages
def test_paths_of_the_tree_exist(page: Page) -> None:
    missing = [
        f"{page}:{line} {span}"
        for line, span in page.code_spans
        if PATH.fullmatch(span) and not (PROJECT / span).exists()
    ]
    assert missing == []


@pages
def test_every_block_names_its_language(page: Page) -> None:
    assert [str(block) for block in page.blocks if block.language not in LANGUAGES] == []


@pages
def test_lines_are_at_most_120_characters_long(page: Page) -> None:
    long = [number for number, line in enumerate(page.lines, 1) if len(line) > LONGEST and not line.startswith("|")]
    assert long == []


def test_the_readme_has_at_most_150_lines() -> None:
    assert len(PAGES[0].lines) <= 150
