"""The Markdown pages of the project, taken apart: fenced blocks with their marks, links, anchors, code spans."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lakehouse.settings import PROJECT

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)$")
_MARK = re.compile(r"^<!-- (?P<kind>not run|slow): (?P<reason>.+) -->$")
_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (?P<title>.+)$")


@dataclass(frozen=True)
class Block:
    """A fenced block; ``mark`` is ``not run``, ``slow`` or empty, from an HTML comment on the line before the fence."""

    page: str
    line: int  # of the fence
    language: str
    text: str
    mark: str
    after: str  # the first line below the block that is not empty

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(PROJECT).as_posix()

    @cached_property
    def lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines()

    @cached_property
    def blocks(self) -> list[Block]:
        blocks, number = [], 0
        while number < len(self.lines):
            if opened := _FENCE.match(self.lines[number]):
                indent = opened["indent"]
                end = self.lines.index(f"{indent}```", number + 1)
                text = "\n".join(line.removeprefix(indent) for line in self.lines[number + 1 : end])
                mark = _MARK.match(self.lines[number - 1].strip()) if number else None
                after = next((line for line in self.lines[end + 1 :] if line.strip()), "")
                kind = mark["kind"] if mark else ""
                blocks.append(Block(str(self), number + 1, opened["language"], text, kind, after))
                number = end
            number += 1
        return blocks

    @cached_property
    def prose(self) -> list[tuple[int, str]]:
        """Number and text of the lines outside fenced blocks."""
        inside, lines = False, []
        for number, line in enumerate(self.lines, 1):
            if line.lstrip().startswith("```"):
                inside = not inside
            elif not inside:
                lines.append((number, line))
        return lines

    @cached_property
    def anchors(self) -> set[str]:
        """Names of the headings as GitHub makes them."""
        titles = (heading["title"] for _, line in self.prose if (heading := _HEADING.match(line)))
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}

    @cached_property
    def links(self) -> list[tuple[int, str]]:
        """Line and target of every link."""
        return [(number, link["target"]) for number, line in self.prose for link in _LINK.finditer(line)]

    @cached_property
    def code_spans(self) -> list[tuple[int, str]]:
        """Line and text of what stands between single backticks."""
        return [(number, span) for number, line in self.prose for span in re.findall(r"`([^`]+)`", line)]


PAGES = [
    Page(path)
    for path in (
        *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *sorted((PROJECT / "docs").glob("*.md")),
    )
]
