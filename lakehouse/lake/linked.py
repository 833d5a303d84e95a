"""Lines that are linked: each is JSON that ends with its own hash, and names the hash of the line before it.

So whatever is changed, removed, put in or put in another order breaks a link. The first line of a file names a hash
that follows from where the file lies.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_TAIL = ', "hash": "%s"}\n'
_TAIL_LENGTH = len(_TAIL % ("0" * 64))


class BrokenLink(ValueError):
    """A line is not what was written, or does not follow the one before it; the text says which and why."""


def beginning(name: str) -> str:
    """The hash that the first line of a file, or of a row of files, names as the one before it."""
    return hashlib.sha256(name.encode()).hexdigest()


def linked(content: Mapping[str, object], previous: str) -> tuple[str, str]:
    """The line of some content, which follows a line of this hash; and its own hash."""
    text = json.dumps({**content, "previous": previous}, ensure_ascii=False)[:-1]
    own = hashlib.sha256(text.encode()).hexdigest()
    return text + _TAIL % own, own


def follow(lines: Iterable[bytes], previous: str) -> Iterator[Mapping[str, Any]]:
    """The content of whole lines, with ``previous`` and ``hash``, as far as the links hold.

    Raises
    ------
    BrokenLink
        At the first line that does not; the text begins with its number, from 1 on.
    """
    for number, line in enumerate(lines, 1):
        content = _unlinked(line, number)
        if content["previous"] != previous:
            raise BrokenLink(f"line {number} does not follow the line before it")
        previous = content["hash"]
        yield content


def last_hash(line: bytes) -> str:
    """The hash at the end of a line."""
    return line[-67:-3].decode()


def _unlinked(line: bytes, number: int) -> dict[str, Any]:
    own = hashlib.sha256(line[:-_TAIL_LENGTH]).hexdigest()
    if line[-_TAIL_LENGTH:] != (_TAIL % own).encode():
        raise BrokenLink(f"line {number} is not the line that was written")
    return json.loads(line)
