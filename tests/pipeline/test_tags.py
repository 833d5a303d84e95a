"""Who has a tag, and may be contacted, equals SQL of one's own; sizes are kept day by day."""

import json

from lakehouse import tags, warehouse
from lakehouse.lake.runs import read_records
from lakehouse.settings import Settings
from tests.pipeline.bank import TAGS
from tests.pipeline.conftest import D1, D2, D3, Undisturbed


def rows(settings: Settings, sql: str) -> list[dict]:
    return warehouse.query_serving(settings, sql).to_pylist()


def test_members_and_contactable_equal_sql_of_ones_own(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    current = {row["tag"]: row for row in rows(settings, "select * from marts.tags where is_current")}
    tagged = rows(settings, "select * from marts.customer_tags")
    policy = {row["customer_key"]: row for row in rows(settings, "select * from actions.contact_policy")}
    for tag, (texts, matching, where) in TAGS.items():
        question = where.format(day=f"date '{D3}'")
        members = {
            row["customer_key"]
            for row in rows(
                settings,
                "select c.customer_key from marts.customer_360 as c left join (select customer_key, preferred_channel "
                f"from actions.contact_policy) as p on c.customer_key = p.customer_key where {question}",
            )
        }
        may = {key for key in members if key in policy and policy[key]["is_allowed"] and not policy[key]["is_control"]}
        mine = [row for row in tagged if row["tag"] == tag]
        assert {row["customer_key"] for row in mine} == members, tag
        assert {row["customer_key"] for row in mine if row["is_contactable"]} == may, tag
        assert (current[tag]["member_count"], current[tag]["contactable_count"]) == (len(members), len(may)), tag
        assert tag == "nobody" or 0 < len(may) < len(members), tag
        found = tags.count(settings, [tags.condition_of(text) for text in texts], matching)
        assert (found.members, found.contactable, sum(found.blocked.values())) == (
            len(members),
            len(may),
            len(members - may),
        )
    assert (current["either"]["version"], current["nobody"]["member_count"]) == (3, 0)


def test_nobody_has_what_is_over_or_taken_back_and_no_absorbed_customer_has_any(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    states = {row["tag"]: row["state"] for row in rows(settings, "select tag, state from marts.tags where is_current")}
    assert (states["over"], states["taken_back"]) == ("expired", "retired")
    named = {row["tag"] for row in rows(settings, "select distinct tag from marts.customer_tags")}
    assert named == TAGS.keys() - {"nobody"}
    absorbed = rows(settings, "select count(*) as n from marts.dim_party where party_key <> customer_key")
    assert absorbed[0]["n"] > 0
    tagged = "select count(*) as n from marts.customer_tags where customer_key in ({})"
    gone = "select party_key from marts.dim_party where party_key <> customer_key"
    assert rows(settings, tagged.format(gone)) == [{"n": 0}]


def test_sizes_are_kept_for_each_day(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    kept = {
        record["business_date"]: record["detail"].get("tag_sizes", {})
        for record in read_records(settings.lake)
        if record["step"] == "serve"
    }
    assert [set(kept[str(day)]) - TAGS.keys() for day in (D1, D2, D3)] == [
        {"over", "taken_back"},
        {"taken_back"},
        set(),
    ]
    (shown,) = rows(settings, "select member_count, contactable_count from marts.tags where tag = 'at_work'")
    assert kept[str(D3)]["at_work"] == list(shown.values())
    told = rows(settings, f"select detail from ops.runs where step = 'serve' and business_date = date '{D2}'")
    assert json.loads(told[0]["detail"])["tag_sizes"] == kept[str(D2)]
