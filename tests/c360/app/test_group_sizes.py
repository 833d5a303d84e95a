"""Small groups are counted for nobody who does not see every customer."""

import pytest

from c360.access import least_group_size, load_roles
from c360.app.group_sizes import GroupSizes
from lakehouse.language import Voice
from tests.c360.app.test_access import person

SEES_ALL = {"risk_officer", "privacy_officer", "auditor"}


@pytest.mark.parametrize("role", load_roles())
@pytest.mark.parametrize(("language", "few"), [("en", "fewer than 10"), ("zh", "不足 10 人")])
def test_a_role_that_does_not_see_everybody_reads_no_small_number(role: str, language: str, few: str) -> None:
    sizes = GroupSizes.of(person(role), Voice(language))
    shown = [sizes.whole(count) for count in (0, 1, least_group_size() - 1, least_group_size())]
    assert shown == (["0", "1", "9", "10"] if role in SEES_ALL else [few, few, few, "10"])


def test_no_number_follows_from_those_that_are_shown() -> None:
    """Of a group of known size every part is a group, and so is the rest of it."""
    sizes, least = GroupSizes(Voice(), 10), 10
    for whole in range(least, 40):
        for count in range(whole + 1):
            shown = sizes.part(count, whole)
            if shown.isdecimal():
                assert int(shown) == count and count >= least and whole - count >= least
    for parts in ({"a": 12, "b": 3}, {"a": 12, "b": 30, "c": 1}, {"a": 10, "b": 0}):
        shown = sizes.parts(parts)
        hidden = sum(count for name, count in parts.items() if not shown[name].isdecimal())
        assert hidden >= least, "the sum is known: what is left of it is no small number"
