"""What a person fills into the form of a tag: read as meant, and told in the page's language what does not fit."""

import re
from datetime import date

import pytest

from c360.app.conditions import choices, label, sentence, values_text
from c360.app.tag_form import MORE, MOST, Draft, Judged, define, judge
from lakehouse.language import LANGUAGES, Voice, words
from lakehouse.tags import Condition, condition_of
from lakehouse.tags.columns import Offered, offered
from lakehouse.tags.definition import CONDITIONS, VALUES

DAY = date(2026, 1, 30)
STAGES = ["growing", "lost", "mature", "won_back"]
FILLED = {"tag": "fund_week", "description": "d", "owner": "o", "expires_date": "2026-06-30"}


def occurring(column: Offered) -> list[str] | None:
    return STAGES if column.name == "life_cycle_stage" else None


def judged(*lines: tuple[str, str, str], language: str = "en", **parts: str) -> Judged:
    form = {"matching": "all", "version": "0"} | parts
    for number, line in enumerate(lines, 1):
        form |= dict(zip((f"column_{number}", f"operator_{number}", f"values_{number}"), line, strict=True))
    return judge(Draft.filled(form), DAY, "duckdb", language, occurring)


def test_what_is_filled_in_is_read_as_meant() -> None:
    found = judged(
        ("customer_360.star_tier", "in", "5，6、 7"),
        ("customer_360.aum_amount", ">=", "50,000"),
        ("customer_360.life_cycle_stage", "in", "成熟, won_back"),
        ("contact_policy.is_allowed", "=", "是"),
        ("customer_360.occupation", "in", '"a, b", 教师'),
        ("", "=", ""),
        language="zh",
    )
    assert [str(condition) for condition in found.conditions] == [
        "star_tier in 5, 6, 7",
        "aum_amount >= 50000",
        "life_cycle_stage in mature, won_back",
        "contact_policy.is_allowed = true",
        "occupation in a, b, 教师",
    ]
    assert found.conditions[4].values == ("a, b", "教师")
    written = CONDITIONS.dump_json(found.conditions).decode()
    again = Draft.of("t", "d", "o", "all", DAY, written, 1)
    assert judge(again, DAY, "duckdb", "en", occurring).conditions == found.conditions


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("line", "part", "given"),
    [
        (("customer_360.star_tier", ">=", "many"), "values", "many"),
        (("customer_360.star_tier", ">=", ""), "values", ""),
        (("customer_360.star_tier", "between", "4"), "values", ""),
        (("customer_360.star_tier", "is empty", "4"), "values", ""),
        (("customer_360.opened_date", "=", "30.1.2026"), "values", "30.1.2026"),
        (("customer_360.opened_date", "in last days", "-5"), "values", "-5"),
        (("customer_360.occupation", ">", "a"), "operator", ""),
        (("contact_policy.is_allowed", "=", "maybe"), "values", "maybe"),
        (("customer_360.gender", "=", "F"), "column", "gender"),
        (("customer_360.old_column", "=", "F"), "column", "old_column"),
        (("marts.x; drop", "=", "F"), "column", ""),
        (("customer_360.star_tier", "; drop table x", "1"), "operator", ""),
        (("customer_360.star_tier", "=", "1" * 201), "values", ""),
        (("", "=", "4"), "column", ""),
    ],
)
def test_what_does_not_fit_is_said_beside_its_field(
    line: tuple[str, str, str], part: str, given: str, language: str
) -> None:
    found = judged(("customer_360.star_tier", "=", "4"), line, language=language)
    assert found.conditions is None
    assert [dict(one.problems).keys() for one in found.draft.lines] == [set(), {part}]
    said = found.draft.lines[1].problems[part]
    assert given in said
    assert "{" not in said
    assert bool(re.search("[\u4e00-\u9fff]", said)) == (language == "zh"), said


def test_a_value_that_no_customer_has_is_a_hint_and_no_stop() -> None:
    found = judged(("customer_360.life_cycle_stage", "=", "matuer"))
    (line,) = found.draft.lines
    assert found.conditions and "matuer" in line.warning
    assert line.hint == ["growing", "lost", "mature", "won_back (won back)"]


def test_a_tag_needs_all_its_fields_and_says_which_is_wrong() -> None:
    line = ("customer_360.star_tier", "=", "4")
    assert judged().problems.keys() == {"conditions"}
    assert define(judged(line), "en")[1].keys() == FILLED.keys()
    definition, problems = define(judged(line, **FILLED), "en")
    assert definition and not problems
    for name, value in (("tag", "Fund Week"), ("expires_date", "soon"), ("owner", "x" * 201)):
        definition, problems = define(judged(line, **FILLED | {name: value}), "zh")
        assert definition is None
        assert problems.keys() == {name}


def test_nobody_saves_what_was_not_previewed() -> None:
    one, other = (judged(("customer_360.star_tier", "=", value)) for value in ("4", "5"))
    assert one.seal == judged(("customer_360.star_tier", "=", " 4 ")).seal
    assert len({one.seal, other.seal, judged(("customer_360.star_tier", "=", "4"), matching="any").seal}) == 3


def test_a_form_has_room_for_more_up_to_a_limit() -> None:
    draft = Draft().with_room()
    assert len(draft.lines) == 3
    assert len(draft.with_room(MORE).lines) == 5
    for _ in range(20):
        draft = draft.with_room(MORE)
    assert len(draft.lines) == MOST
    assert Draft.filled({"version": "9" * 40, "operator_99": "="}) == Draft(lines=[])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_column_and_operator_has_words(language: str) -> None:
    for table, columns in choices(language):
        names = [name for _, name in columns]
        assert len(set(names)) == len(names), table
    for _, column in offered():
        said = label(column, Voice(language))
        assert bool(re.search("[\u4e00-\u9fff]", said)) if language == "zh" else "_" not in said, column
    for operator in VALUES:
        said = sentence(Condition(column="star_tier", operator=operator, values=("4",)), Voice(language))
        assert ("4" in said) != ("empty" in operator)
        assert "{" not in said
    for kind in ("number", "text", "date", "boolean"):
        assert f"kind_{kind}" in words("texts")


def test_sentences_have_thousands_words_and_names() -> None:
    condition = condition_of("aum_amount between 50000 and 100000")
    assert sentence(condition, Voice()) == "Assets (AUM) is between 50,000 and 100,000"
    assert values_text(condition) == "50000, 100000"
    gone = Condition(column="old_column", operator="=", values=("x",))
    assert sentence(gone, Voice()) == "old column is x", "a version whose column is gone can still be read"
