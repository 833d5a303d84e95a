"""Reports in English and Chinese: sentences, codes as words, and the bank's names, by the file ``words.yml``."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from c360.bi.specs import Language
from c360.reports import Row

WORDS = Path(__file__).with_name("words.yml")


@dataclass(frozen=True)
class Voice:
    """Says things in one language; what ``words.yml`` does not have is said as it is given."""

    language: Language = "en"

    def __call__(self, text: str, **values: object) -> str:
        """An English sentence of a report, in the language; ``{name}`` stands for a value.

        >>> Voice("zh")("born {year}", year=1972), Voice()("born {year}", year=1972)
        ('1972 年出生', 'born 1972')
        """
        said = text if self.language == "en" else _words()["sentences"].get(text, text)
        return said.format(**values) if values else said

    def code(self, code: str | None) -> str:
        """A code as words.

        >>> Voice().code("term_deposit"), Voice("zh").code("fixed_deposit")
        ('term deposit', '定期存款')
        """
        plain = (code or "").replace("_", " ")
        return plain if self.language == "en" else _words()["codes"].get(plain, plain)

    def name(self, name: str | None) -> str:
        """A name that the bank gives in Chinese (a product, a city, a job); in English only if there is one.

        >>> Voice().name("上海市"), Voice("zh").name("上海市"), Voice().name("河口镇")
        ('Shanghai', '上海市', '河口镇')
        """
        return (name or "") if self.language == "zh" else _words()["names"].get(name or "", name or "")

    def of(self, row: Row, column: str) -> str:
        """What a row says in the language, in the column with its ending."""
        return row[f"{column}_{self.language}"] or ""

    def listed(self, parts: list[str]) -> str:
        """Parts of a sentence, those that there are."""
        return (", " if self.language == "en" else "，").join(part for part in parts if part)


ENGLISH = Voice()


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    return yaml.safe_load(WORDS.read_text("utf-8"))
