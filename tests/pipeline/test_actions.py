"""Nobody is contacted who must not be, by sums over the raw deliveries; the control group is random and stays."""

import hashlib
from datetime import date

from c360 import warehouse
from c360.settings import Settings
from tests.pipeline.conftest import D3, Undisturbed

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


def is_drawn(customer_key: str, day: date) -> bool:
    """A tenth, by the first 16 bits of the MD5 of customer and quarter."""
    text = f"{customer_key}|actions|{day.year}Q{(day.month + 2) // 3}"
    return int(hashlib.md5(text.encode()).hexdigest()[:4], 16) / 2**16 < 0.1


def handed_out(settings: Settings) -> set[str]:
    """Customers with a step that somebody is to do."""
    return keys(settings, "select customer_key from build_actions.outflow_actions where not is_control")


def keys(settings: Settings, sql: str) -> set[str]:
    """The only column of a query on the build engine."""
    return set(warehouse.query(settings, sql).column(0).to_pylist())
