"""What people read, in English and Chinese: texts, codes, columns and the bank's names, by the files below ``words/``.

Each file is of one subject, and has words of up to four kinds. An entry is ``name: [English, Chinese]``; where one
language is given, it is the other's: a text is called by its English, a code by its words, a name by its Chinese.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from lakehouse.yaml_files import read_yaml

Language = Literal["en", "zh"]
Kind = Literal["texts", "codes", "names", "columns"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}  # each as its readers call it
CODES = {  # within a sentence that SQL made; in Chinese every known word of small letters, and the currency of amounts
    "en": re.compile(r"(?<![A-Za-z0-9_])[a-z]+(?:_[a-z]+)+(?![A-Za-z0-9_])"),
    "zh": re.compile(r"(?<![A-Za-z0-9_])[a-z]+(?:_[a-z]+)*(?![A-Za-z0-9_])|(?<=\d )[A-Z]{3}(?![A-Za-z0-9_])"),
}
CHINESE = re.compile("[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
LEAST_SAID = 12  # letters of a sentence beside its values: with fewer it would be found in many others
FIELD = re.compile(r"\{(\w+)\}")  # the place of a value in a text
WORDS = Path(__file__).with_name("words")


@dataclass(frozen=True)
class Voice:
    """Says things in one language; what the list does not have is said as it is given."""

    language: Language = "en"

    def __call__(self, text: str, **values: object) -> str:
        """A text by its name, or an English sentence that is in the list; ``{name}`` stands for a value.

        >>> Voice("zh")("born {year}", year=1972), Voice()("born {year}", year=1972), Voice()("sign_in")
        ('1972 年出生', 'born 1972', 'Sign in')
        """
        said = self._said("texts", text)
        return said.format(**values) if values else said

    def again(self, text: str) -> str:
        """A sentence that was written down in English by the list, in this language; another one stays as it is.

        >>> Voice("zh").again("says what happens within 90 days, not when, nor what would happen if the bank acted")
        '说明 90 天内会发生什么，不说明何时发生，也不说明银行采取行动后会怎样'
        """
        if self.language == "en":
            return text
        for name, pattern in _sentences().items():
            if found := pattern.fullmatch(text):
                return self(name, **{field: self.again(value) for field, value in found.groupdict().items()})
        return text

    def code(self, code: str | None) -> str:
        """A code as words.

        >>> Voice().code("term_deposit"), Voice("zh").code("fixed_deposit")
        ('term deposit', '定期存款')
        """
        return self._said("codes", (code or "").replace("_", " "))

    def name(self, name: str | None) -> str:
        """A name that the bank gives in Chinese (a product, a city, a job); in English only if there is one.

        >>> Voice().name("上海市"), Voice("zh").name("上海市"), Voice().name("河口镇")
        ('Shanghai', '上海市', '河口镇')
        """
        return self._said("names", name or "")

    def named(self, code: str | None, name: str | None, name_en: str | None) -> str:
        """A code and the name that the bank gives it; in English a name in Chinese alone is left out.

        >>> Voice().named("B1", "滨河路支行", "Binhe Road Branch"), Voice("zh").named("B1", "滨河路支行", "Binhe Road")
        ('B1 Binhe Road Branch', 'B1 滨河路支行')
        >>> Voice().named("B1", "滨河路支行", None), Voice().named("B1", "Plzeň", None)
        ('B1', 'B1 Plzeň')
        """
        said = name or "" if self.language == "zh" else name_en or self.name(name)
        return f"{code or ''} {said if self.language == 'zh' or is_english(said) else ''}".strip()

    def heading(self, name: str) -> str:
        """What stands over a column of a table, or before a value: a text, the name of a column, else a code.

        >>> Voice("zh").heading("star_tier"), Voice("zh").heading("Business date"), Voice().heading("dead_letters")
        ('星级', '业务日', 'dead letters')
        """
        kinds: tuple[Kind, ...] = ("texts", "columns")
        said = (words(kind)[name][self.language] for kind in kinds if name in words(kind))
        return next(said, self.code(name))

    def column(self, name: str) -> str:
        """How a published column is called.

        >>> Voice("zh").column("star_tier")
        '星级'
        """
        return self._said("columns", name)

    def of(self, row: Mapping[str, Any], column: str) -> str:
        """What a row says in the language, in the column with its ending; names and codes within it, too.

        >>> row = {"what_en": "Offer 债券基金, see term_deposit", "what_zh": "关注fund, fixed_term_wealth, 1,234 CNY"}
        >>> Voice().of(row, "what"), Voice("zh").of(row, "what")
        ('Offer Bond fund, see term deposit', '关注基金, 定期理财, 1,234 元')
        """
        said = row[f"{column}_{self.language}"] or ""
        if self.language == "zh" or "_" in said:
            said = CODES[self.language].sub(lambda found: self.code(found[0]), said)
        if self.language == "en" and not said.isascii():
            said = _names_within().sub(lambda found: self.name(found[0]), said)
        return said

    def percent(self, share: float | Decimal | None, decimals: int = 0) -> str:
        """A share in per cent; nothing of none.

        >>> Voice().percent(0.431), Voice("zh").percent(0.0431, 1), Voice().percent(None)
        ('43 %', '4.3%', '')
        """
        return "" if share is None else f"{100 * share:,.{decimals}f}{' ' if self.language == 'en' else ''}%"

    def listed(self, parts: list[str]) -> str:
        """Parts of a sentence, those that there are."""
        return (", " if self.language == "en" else "，").join(part for part in parts if part)

    def _said(self, kind: Kind, name: str) -> str:
        return words(kind).get(name, {}).get(self.language, name)


ENGLISH = Voice()


def is_english(text: str) -> bool:
    """Whether a text has no Chinese in it; other letters than ours may have accents.

    >>> is_english("Plzeň"), is_english("分行 1")
    (True, False)
    """
    return not CHINESE.search(text)


@cache
def _names_within() -> re.Pattern[str]:
    """All names of the list, the longest first: one may begin as another does."""
    return re.compile("|".join(map(re.escape, sorted(words("names"), key=len, reverse=True))))


@cache
def _sentences() -> Mapping[str, re.Pattern[str]]:
    """Name of a text -> how its English looks with values in it; those that say most in front."""
    said = {name: entry["en"] for name, entry in words("texts").items()}
    said = {name: text for name, text in said.items() if len(FIELD.sub("", text)) >= LEAST_SAID}
    order = sorted(said, key=lambda name: -len(FIELD.sub("", said[name])))
    return {name: _pattern(said[name]) for name in order}


def _pattern(text: str) -> re.Pattern[str]:
    made, seen = "", set()
    for number, part in enumerate(FIELD.split(text)):  # texts and names of values in turn
        is_value = number % 2 == 1
        made += (f"(?P={part})" if part in seen else f"(?P<{part}>.+)") if is_value else re.escape(part)
        seen |= {part} if is_value else set()
    return re.compile(made)


@cache
def words(kind: Kind) -> Mapping[str, Mapping[Language, str]]:
    """All words of a kind, by their names."""
    found: dict[str, Mapping[Language, str]] = {}
    for path in sorted(WORDS.glob("*.yml")):
        for name, said in (read_yaml(path).get(kind) or {}).items():
            found[name] = _entry(kind, name, said)
    return found


def _entry(kind: Kind, name: str, said: str | list[str]) -> Mapping[Language, str]:
    if isinstance(said, list):
        english, chinese = said
        return {"en": english, "zh": chinese}
    return {"en": said, "zh": name} if kind == "names" else {"en": name, "zh": said}
