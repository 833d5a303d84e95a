"""Names are compared by their sound, in whatever script, order or spelling they were written."""

import pytest

from lakehouse.identity.comparable import NameParts, name_parts
from lakehouse.identity.linkage import Linkage

LINKAGE = Linkage.read()


def parts(text: str) -> NameParts:
    return name_parts(text, LINKAGE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("张伟", "張 偉"),  # traditional, with a space
        ("李静", "李婧"),  # the same sound
        ("Žofie Nováková", "zofie  NOVAKOVA"),
        ("Neumann, Michaela", "michaela neumann"),  # swapped
        ("ＭＩＬＬＥＲ Jane", "Jane Miller"),  # full width
    ],
)
def test_the_same_name_sounds_the_same(one: str, other: str) -> None:
    assert parts(one).sound_sorted == parts(other).sound_sorted


def test_family_and_given_name_are_told_apart_by_script() -> None:
    assert (parts("欧阳娜娜").family, parts("欧阳娜娜").given) == ("ouyang", "na na")
    assert (parts("王伟").family, parts("王伟").given) == ("wang", "wei")
    assert (parts("Mary Ann Smith").family, parts("Mary Ann Smith").given) == ("smith", "mary ann")
    assert (parts("Smith").family, parts("Smith").given) == ("smith", None)


def test_a_label_is_no_name_and_a_firm_is_no_person() -> None:
    assert parts("Client 4711").name is None
    assert parts("?").sound is None
    assert parts("鑫源餐饮有限公司").is_enterprise and parts("Acme Trading Ltd").is_enterprise
    assert not parts("Colin Coe").is_enterprise
