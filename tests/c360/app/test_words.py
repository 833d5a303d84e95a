"""Pages and lists that name what they show: every name has its words in both languages."""

import re
from pathlib import Path

import pytest

from c360.app import pages
from lakehouse.language import words
from lakehouse.settings import PROJECT

NAMED = re.compile(r"""(?:may\(|signed_in\(|note\([^"\n]*"\w+", )"(\w+)\"""")
LIST = re.compile(r"\{\s*'source': '(\w+)'(.*?)\}", re.DOTALL)


def names_of_pages() -> list[str]:
    """What is written down as the page of an event."""
    found = {name for path in Path(pages.__path__[0]).glob("*.py") for name in NAMED.findall(path.read_text("utf-8"))}
    assert {"receipt", "tag_form", "sign_in", "worklist"} <= found
    return sorted(found)


@pytest.mark.parametrize("page", names_of_pages())
def test_who_has_seen_whom_names_every_page_in_chinese(page: str) -> None:
    name = page.replace("_", " ")
    assert name in words("codes"), "a name of a page without words, in lakehouse/words/pages.yml"


def test_every_list_with_a_probability_says_of_what_it_is_one() -> None:
    """A card of the worklist asks for the text by the name of the list."""
    model = (PROJECT / "dbt_project" / "models" / "actions" / "worklist.sql").read_text("utf-8")
    lists = dict(LIST.findall(model))
    assert len(lists) == model.count("'source':")
    with_chance = {name for name, said in lists.items() if "'probability': 'null'" not in said}
    assert {f"chance_{name}" for name in with_chance} == {name for name in words("texts") if name.startswith("chance_")}
