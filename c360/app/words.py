"""What the workbench says, in the reader's language."""

from functools import cache
from pathlib import Path

import yaml

from c360.bi.specs import LANGUAGES, Language

_WORDS = Path(__file__).with_name("words.yml")


@cache
def _words() -> dict[str, dict[str, list[str]]]:
    return yaml.safe_load(_WORDS.read_text("utf-8"))


def text(name: str, language: Language) -> str:
    """A text of the pages; raises KeyError if there is none of that name."""
    return _words()["texts"][name][LANGUAGES.index(language)]


def term(text: str, language: Language) -> str:
    """A name of a figure, or what a comparison came to; what the file does not have is said as it is given.

    >>> term("rm_id", "en"), term("rm_id", "zh"), term("same", "zh")
    ('relationship manager', '客户经理', '相同')
    """
    plain = text.replace("_", " ")
    said = _words()["terms"].get(plain)
    return said[LANGUAGES.index(language)] if said else plain


def language_of(asked: str | None, kept: str | None, accepted: str | None) -> Language:
    """The language that was asked for, else the one of last time, else the browser's.

    >>> language_of("zh", "en", None), language_of(None, None, "zh-CN,zh;q=0.9"), language_of("fr", None, None)
    ('zh', 'zh', 'en')
    """
    for one in (asked, kept):
        for language in LANGUAGES:
            if one == language:
                return language
    return "zh" if (accepted or "").lower().startswith("zh") else "en"
