"""One list of words: each in both languages, with the same places for values, asked for somewhere, and none missing."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml

from lakehouse.language import WORDS, Kind, Voice, words
from lakehouse.settings import PROJECT

CHINESE = re.compile(r"[一-鿿]")
FIELD = re.compile(r"\{\w*\}")
ROOMS = ("c360", "demo", "expectations", "lakehouse", "ml_jobs")
ASKING = ("say", "t", "text", "voice", "tell", "spoken", "ENGLISH")  # how a `Voice` is called where it is at hand
QUOTED = r'"((?:[^"\\]|\\.)*)"' + r"|'((?:[^'\\]|\\.)*)'"
# files that ask, or name what is asked for
SPEAKS = re.compile(r"lakehouse\.language|workbench|\b(?:say|both|text|tell|spoken)\(")
ABBREVIATIONS = {"CRM", "ID"}  # the same in Chinese


def quoted(pattern: str, text: str) -> Iterator[str]:
    """The strings of a template that a pattern with `QUOTED` finds."""
    for double, single in re.findall(pattern, text):
        yield (double or single).replace('\\"', '"').replace("\\'", "'").replace("\\n", "\n")


@pytest.fixture(scope="module")
def said() -> tuple[set[str], dict[str, Path]]:
    """All strings of the code and its templates, and which of them a voice is asked for, and where."""
    strings: set[str] = set()
    asked: dict[str, Path] = {}
    for room in ROOMS:
        for path in (PROJECT / room).rglob("*.py"):
            code = path.read_text("utf-8")
            for node in ast.walk(ast.parse(code)) if SPEAKS.search(code) else ():
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    strings.add(node.value)
                if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                    of = node.func.func if isinstance(node.func, ast.Call) else node.func  # spoken()("...")
                    called = getattr(of, "id", None) or getattr(of, "attr", None)
                    is_asked = called == "both" if room == "demo" else called in ASKING
                    if is_asked and isinstance(node.args[0].value, str):
                        asked.setdefault(node.args[0].value, path)
        for path in (PROJECT / room).rglob("*.j2"):
            template = path.read_text("utf-8")
            strings.update(quoted(QUOTED, template))
            asked |= dict.fromkeys(quoted(rf"\b(?:{'|'.join(ASKING)})\(\s*(?:{QUOTED})", template), path)
    return strings, asked


def test_no_text_is_missing(said: tuple[set[str], dict[str, Path]]) -> None:
    """What ends with ``_`` is the beginning of names."""
    names = words("texts")
    begun = {text for text in said[1] if text.endswith("_") and any(name.startswith(text) for name in names)}
    assert {text: path.name for text, path in said[1].items() if text not in names.keys() | begun} == {}


def test_every_text_is_used(said: tuple[set[str], dict[str, Path]]) -> None:
    """By its name, or by a name that is put together of a part that ends, and one that begins, with ``_``."""
    strings, _ = said
    ends = tuple(text for text in strings if re.fullmatch(r"_[a-z_]+", text))
    begins = tuple(text for text in strings if re.fullmatch(r"[a-z_]+_", text))
    unused = set(words("texts")) - strings
    assert {name for name in unused if not name.endswith(ends) and not name.startswith(begins)} == set()


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_word_is_in_both_languages(kind: Kind) -> None:
    for name, entry in words(kind).items():
        english, chinese = entry["en"], entry["zh"]
        assert english.strip(), name
        assert chinese.strip(), name
        assert not CHINESE.search(english), name
        assert sorted(FIELD.findall(english)) == sorted(FIELD.findall(chinese)), name
        letters = re.sub(r"\{\w*\}", "", english)
        assert CHINESE.search(chinese) or english in ABBREVIATIONS or not re.search(r"[a-z]{3}", letters), name


def test_no_name_is_in_two_files() -> None:
    files = [yaml.safe_load(path.read_text("utf-8")) for path in WORDS.glob("*.yml")]
    for kind in get_args(Kind):
        counted = Counter(name for file in files for name in file.get(kind, ()))
        assert [name for name, count in counted.items() if count > 1] == []


def test_a_word_that_is_not_there_is_said_as_it_is_given() -> None:
    for language in ("en", "zh"):
        voice = Voice(language)
        assert (voice("Nobody says {this}."), voice.code("never_said")) == ("Nobody says {this}.", "never said")
        assert (voice.name("河口镇"), voice.column("never_said"), voice.name(None)) == ("河口镇", "never_said", "")
