"""Every rule of the alerts has a runbook, every runbook a rule; each says the same four things."""

import re

import pytest

from c360.alerts import load_alerts
from lakehouse.settings import PROJECT
from tests.docs.pages import Page

PAGE = Page(PROJECT / "docs" / "RUNBOOKS.md")
SECTIONS = {part.partition("\n")[0]: part for part in PAGE.path.read_text("utf-8").split("\n## ")[1:]}
RULES = load_alerts().rules


def test_every_rule_has_a_section_and_every_section_a_rule() -> None:
    assert list(SECTIONS) == list(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_section_says_what_it_means_where_to_look_what_to_do_and_how_to_know_that_it_is_over(name: str) -> None:
    said = re.findall(r"^\*\*(It means|Look|Do|It is over)\*\*", SECTIONS[name], re.MULTILINE)
    assert said == ["It means", "Look", "Do", "It is over"]
    look = SECTIONS[name].split("**Look**")[1].split("**Do**")[0]
    assert "```" in look, "it has commands or queries"


@pytest.mark.parametrize("name", RULES)
def test_what_a_message_names_is_an_anchor_of_the_page(name: str) -> None:
    page, _, anchor = RULES[name].what_to_do.partition("#")
    assert Page(PROJECT / page).anchors >= {anchor}


@pytest.mark.parametrize("name", RULES)
def test_where_to_look_reads_the_table_that_the_rule_reads(name: str) -> None:
    """Or the command that shows the same; of what readers have, the command alone."""
    look = SECTIONS[name].split("**Look**")[1].split("**Do**")[0]
    assert RULES[name].table in look or (name, "c360 status" in look) == ("publication_late", True)


def test_the_page_says_of_every_rule_by_which_test_it_was_tried() -> None:
    written = (PROJECT / "tests" / "pipeline" / "test_runbooks.py").read_text("utf-8")
    rows = [line.split("|")[1:3] for line in PAGE.path.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert sorted(rule for names, _ in rows for rule in re.findall(r"`(\w+)`", names)) == sorted(RULES)
    assert all(f"def {test}(" in written for _, tests in rows for test in re.findall(r"`(test_\w+)`", tests))
