"""Nobody is contacted who must not be; the control group is random and stays; outcomes of actions are taken back.

Sums over the raw deliveries say who must not be contacted.
"""

import hashlib
from datetime import date, timedelta
from pathlib import Path

import pytest

from c360 import pipeline
from lakehouse import tags, warehouse
from lakehouse.activation.contract import Activation, FileDrop
from lakehouse.activation.planning import read_permitted
from lakehouse.settings import Settings
from tests.pipeline.bank import content, copy_of, deliver, send
from tests.pipeline.conftest import D1, D3, Undisturbed

LISTS = ("retention", "next_best_offer")
TAGS = {  # conditions of which one must hold, and the same as SQL of one's own
    "affluent": (("star_tier >= 4",), "star_tier >= 4"),
    "lively": (
        ("last_activity_date in last days 10", "contact_policy.preferred_channel in app, branch"),
        f"last_activity_date between date '{D1}' - 9 and date '{D1}' or preferred_channel in ('app', 'branch')",
    ),
}
FORBIDDEN = """
    with parties as (select party_key, customer_key from pii.customer_xref where is_current),
    contacts as (
        select 'cif:' || customer_no as party_key, contact_id, business_date from raw.rm_contacts
        where _superseded_date is null
        union
        select 'cif:' || customer_no, touch_id, business_date from raw.campaign_touches
        where _superseded_date is null and arm = 'treatment'
    )
    select customer_key from parties join contacts using (party_key)
    where business_date between $day - 89 and $day
    group by customer_key
    having count(*) >= 4 or count(*) filter (where business_date > $day - 30) >= 2 or max(business_date) > $day - 7
    union
    select customer_key from parties join raw.complaints as complaints on party_key = 'cif:' || customer_no
    where _superseded_date is null and business_date > $day - 30
    union
    select customer_key from parties join (
        select 'cif:' || customer_no as party_key, arg_max(is_marketing_opt_out, business_date) as is_opted_out
        from raw.customers where _superseded_date is null group by customer_no
        union all
        select 'online:' || user_id, arg_max(is_marketing_opt_out, business_date)
        from raw.registrations where _superseded_date is null group by user_id
    ) using (party_key)
    where is_opted_out
    union
    select customer_key
    from parties
    join raw.campaign_touches as touches on party_key = 'cif:' || customer_no
    join raw.campaign_responses as responses using (touch_id)
    where response = 'opted_out'
"""


def test_nobody_is_contacted_who_opted_out_complained_or_was_contacted_enough(day_by_day: Undisturbed) -> None:
    forbidden = keys(day_by_day.settings, FORBIDDEN.replace("$day", f"date '{D3}'"))
    assert len(forbidden) > 50
    allowed = keys(day_by_day.settings, "select customer_key from build_actions.contact_policy where is_allowed")
    assert len(allowed) > 50
    assert not allowed & forbidden
    assert handed_out(day_by_day.settings) <= allowed


def test_nobody_is_on_two_lists(day_by_day: Undisturbed) -> None:
    listed = [
        keys(day_by_day.settings, f"select customer_key from build_actions.{name} where arm is not null")
        for name in LISTS
    ]
    outflows = "select customer_key from build_actions.outflow_actions where arm is not null"
    listed.append(keys(day_by_day.settings, outflows))
    assert min(map(len, listed)) > 0
    assert sum(map(len, listed)) == len(set.union(*listed))


def test_the_control_group_is_drawn_by_a_hash_and_nobody_in_it_gets_an_action(
    history: Settings, day_by_day: Undisturbed
) -> None:
    policy = "select customer_key from build_actions.contact_policy"
    for settings in (history, day_by_day.settings):  # both dates lie in one quarter
        drawn = {key for key in keys(settings, policy) if is_drawn(key, date(2025, 3, 1))}
        assert keys(settings, f"{policy} where is_control") == drawn
    everybody = keys(day_by_day.settings, policy)
    spread = 3 * (0.1 * 0.9 * len(everybody)) ** 0.5
    for quarter in (date(2025, 1, 1), date(2025, 4, 1), date(2025, 7, 1)):
        assert abs(sum(is_drawn(key, quarter) for key in everybody) - 0.1 * len(everybody)) < spread
    assert not handed_out(day_by_day.settings) & drawn


@pytest.fixture(scope="module")
def told_back(
    history: Settings, day_by_day: Undisturbed, landing: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, list[str]]:
    """The first day, with two tags, and a report on 30 customers of a list of 90 days ago: 20 done, 10 held back."""
    folder = tmp_path_factory.mktemp("told_back")
    settings = copy_of(history, folder, folder / "landing")
    deliver(landing, settings.landing, D1)
    allowed = "select customer_key from build_actions.contact_policy where is_allowed"
    holders = "select customer_key from build_features.customer_features where deposit_account_count > 0"
    asked = sorted(keys(history, allowed) & keys(history, holders) & keys(day_by_day.settings, allowed))[:30]
    head = "outcome_id|business_date|action_kind|action_date|party_key|arm|is_done|outcome|channel|contact_id"
    then = D1 - timedelta(days=90)
    outcomes = ["opted_out", "deceased", *["accepted"] * 18]
    send(
        settings.landing,
        "action_outcomes",
        D1,
        [head]
        + [
            f"T{key}|{D1}|retention|{then}|{key}|treatment|true|{told}|phone|"
            for key, told in zip(asked[:20], outcomes, strict=True)
        ]
        + [f"C{key}|{D1}|retention|{then}|{key}|control|false|||" for key in asked[20:]],
    )
    for name, (conditions, _) in TAGS.items():
        parts = {"description": "d", "owner": "desk", "matching": "any", "expires_date": D1}
        written = tuple(map(tags.condition_of, conditions))
        tags.save(settings, tags.Definition.of(tag=name, conditions=written, **parts), D1, "S0042")
    pipeline.run(settings)
    return settings, asked


def test_reported_outcomes_reach_policy_features_and_evaluation(
    told_back: tuple[Settings, list[str]], day_by_day: Undisturbed
) -> None:
    settings, asked = told_back
    policy = "select customer_key, block_reason from build_actions.contact_policy"
    reason = {row["customer_key"]: row["block_reason"] for row in warehouse.query(settings, policy).to_pylist()}
    assert [reason[key] for key in asked[:20]] == ["opted out", "deceased", *["recent contact"] * 18]
    assert {reason[key] for key in asked[20:]} == {None}
    before, after = (contacts_and_responses(which) for which in (day_by_day.settings, settings))
    grown = {key: tuple(now - then for now, then in zip(after[key], before[key], strict=True)) for key in after}
    assert {key for key, growth in grown.items() if growth != (0, 0, 0)} == set(asked[:20]) & set(after)
    assert {grown[key] for key in asked[2:20] if key in grown} == {(1, 1, 1)}
    (effect,) = warehouse.query_serving(
        settings, "select * from marts.action_effects where action_kind = 'retention'"
    ).to_pylist()
    assert (effect["treated_count"], effect["done_count"], effect["control_count"]) == (20, 20, 10)
    assert (effect["effect_rate"], effect["month_date"]) == (0, date(2024, 12, 1))
    assert effect["effect_low_rate"] < 0 < effect["effect_high_rate"]


def test_who_has_a_tag_and_may_be_contacted_equals_sql_of_ones_own(told_back: tuple[Settings, list[str]]) -> None:
    settings, _ = told_back
    statement = "select tag, member_count, contactable_count from marts.tags where state = 'active'"
    counted = {row["tag"]: row for row in warehouse.query_serving(settings, statement).to_pylist()}
    statement = "select tag, customer_key, is_contactable from marts.customer_tags"
    tagged = warehouse.query_serving(settings, statement).to_pylist()
    allowed = keys(
        settings, "select customer_key from build_actions.contact_policy where is_allowed and not is_control"
    )
    for name, (conditions, where) in TAGS.items():
        both = "build_marts.customer_360 join build_actions.contact_policy using (customer_key)"
        members = keys(settings, f"select customer_key from {both} where {where}")
        assert 20 < len(members & allowed) < len(members)
        assert {row["customer_key"] for row in tagged if row["tag"] == name} == members
        assert {row["customer_key"] for row in tagged if row["tag"] == name and row["is_contactable"]} == (
            members & allowed
        )
        assert (counted[name]["member_count"], counted[name]["contactable_count"]) == (
            len(members),
            len(members & allowed),
        )
        found = tags.count(settings, [tags.condition_of(text) for text in conditions], "any")
        assert (found.members, found.contactable) == (len(members), len(members & allowed))
        assert sum(found.blocked.values()) == len(members - allowed)
    sent = Activation(
        name="tagged",
        description="d",
        table="marts.customer_tags",
        key=("customer_key", "tag"),
        columns=("version",),
        target=FileDrop(kind="file", folder="tagged"),
    )
    with warehouse.shown(settings) as shown:  # nothing is sent to whom the policy forbids
        permitted = read_permitted(shown, sent)
    assert len(permitted.rows) == sum(row["is_contactable"] for row in tagged)
    assert sum(permitted.left_out.values()) == sum(not row["is_contactable"] for row in tagged)


@pytest.mark.full
def test_reported_outcomes_give_the_same_after_a_full_refresh(told_back: tuple[Settings, list[str]]) -> None:
    settings, _ = told_back
    before = content(settings.warehouse)
    warehouse.drop_build(settings)
    pipeline.run(settings, D1, D1)
    assert content(settings.warehouse) == before


def contacts_and_responses(settings: Settings) -> dict[str, tuple[float, ...]]:
    """Of every customer of the first day, from the features."""
    columns = "contact_count_90d, retention_contact_count_90d, response_count_90d"
    sql = f"select customer_key, {columns} from build_features.customer_features where as_of_date = $1"
    rows = zip(*warehouse.query(settings, sql, (D1,)).to_pydict().values(), strict=True)
    return {key: tuple(counts) for key, *counts in rows}


def is_drawn(customer_key: str, day: date) -> bool:
    """A tenth, by the first 16 bits of the MD5 of customer and quarter."""
    text = f"{customer_key}|actions|{day.year}Q{(day.month + 2) // 3}"
    return int(hashlib.md5(text.encode()).hexdigest()[:4], 16) / 2**16 < 0.1


def handed_out(settings: Settings) -> set[str]:
    """Customers with a step that somebody is to do and that the whole policy governs: no service call."""
    steps = (
        "outflow_actions where is_handed_out and not is_serious",
        *(f"{name} where is_handed_out" for name in LISTS),
    )
    return set.union(*(keys(settings, f"select customer_key from build_actions.{step}") for step in steps))


def keys(settings: Settings, sql: str) -> set[str]:
    """The only column of a query on the build engine."""
    return set(warehouse.query(settings, sql).column(0).to_pylist())
