"""Recommendations and offers of a finished bank that must not be, counted from what was delivered alone.

On a bank of any size, with its ``C360_*`` variables set: ``python -m tests.pipeline.offers``; the exit code is 1 if
there is one.
"""

import sys

from lakehouse import warehouse
from lakehouse.settings import Settings

_FACTS = """
with records as (
    select
        'cif:' || customer_no as party_key,
        risk_rating,
        birth_date,
        is_marketing_opt_out,
        row_number() over (partition by customer_no order by business_date desc, _known_date desc, _row desc) as place
    from raw.customers
    where _superseded_date is null
),

links as (
    select party_key, customer_key from raw.customer_xref where valid_to is null
),

people as (
    select
        links.customer_key,
        coalesce(min(cast(substring(records.risk_rating, 2, 1) as integer)), 1) as level,
        min(records.birth_date) as birth_date
    from records
    inner join links on records.party_key = links.party_key
    where records.place = 1
    group by links.customer_key
),

catalogue as (
    select
        product_code,
        product_family,
        cast(substring(risk_rating, 3, 1) as integer) as level,
        minimum_amount,
        term_days
    from raw.products
    where _superseded_date is null
),

account_states as (
    select
        *,
        row_number() over (partition by account_no order by business_date desc, _known_date desc, _row desc) as place
    from raw.accounts
    where _superseded_date is null
),

balance_states as (
    select
        *,
        row_number() over (partition by account_no order by business_date desc, _known_date desc, _row desc) as place
    from raw.balances
    where _superseded_date is null
),

holding_states as (
    select
        *,
        row_number() over (partition by holding_id order by business_date desc, _known_date desc, _row desc) as place
    from raw.holdings
    where _superseded_date is null
),

held as (
    select links.customer_key, account_states.product_code, account_states.account_no
    from account_states
    inner join links on links.party_key = 'cif:' || account_states.customer_no
    where account_states.place = 1 and account_states.status <> 'closed'
    union all
    select links.customer_key, holding_states.product_code, null
    from holding_states
    inner join links on links.party_key = 'cif:' || holding_states.customer_no
    where holding_states.place = 1 and holding_states.market_value > 0
),

free_money as (
    select held.customer_key, sum(balance_states.balance) as amount
    from held
    inner join catalogue on held.product_code = catalogue.product_code
    inner join balance_states on held.account_no = balance_states.account_no and balance_states.place = 1
    where catalogue.product_family in ('current', 'savings')
    group by held.customer_key
),

"""
_LISTED = """
listed as (
    select
        lists.*,
        people.level as customer_level,
        people.birth_date,
        catalogue.level as product_level,
        catalogue.minimum_amount as smallest_amount,
        catalogue.term_days as days,
        free_money.amount as free_amount
    from build_scores.product_recommendations as lists
    left join people on lists.customer_key = people.customer_key
    left join catalogue on lists.product_code = catalogue.product_code
    left join free_money on lists.customer_key = free_money.customer_key
)
"""
_ASKED = """
asked as (
    select customer_key, business_date, is_control from build_actions.next_best_offer where is_handed_out
    union all
    select customer_key, business_date, is_control from build_actions.lead_calls where is_handed_out
),

opted_out as (
    select party_key from records where is_marketing_opt_out and place = 1
    union all
    select 'online:' || user_id from raw.registrations where is_marketing_opt_out and _superseded_date is null
    union all
    select 'cif:' || touches.customer_no
    from raw.campaign_responses as responses
    inner join raw.campaign_touches as touches on responses.touch_id = touches.touch_id
    where responses.response = 'opted_out' and responses._superseded_date is null
),

contacts as (
    select 'cif:' || customer_no as party_key, business_date, 'contact' as kind
    from raw.rm_contacts
    where _superseded_date is null
    union all
    select 'cif:' || customer_no, business_date, 'contact'
    from raw.campaign_touches
    where _superseded_date is null and arm = 'treatment'
    union all
    select 'cif:' || customer_no, business_date, 'complaint'
    from raw.complaints
    where _superseded_date is null
),

recent as (
    select asked.customer_key, contacts.kind, asked.business_date - contacts.business_date as days
    from asked
    inner join links on asked.customer_key = links.customer_key
    inner join contacts on links.party_key = contacts.party_key
)
"""
ASKED = {
    "asked though opted out": (
        "select count(*) from asked inner join links on asked.customer_key = links.customer_key "
        "where links.party_key in (select party_key from opted_out)"
    ),
    "asked within a week": "select count(*) from recent where kind = 'contact' and days < 7",
    "asked too often": (
        "select count(*) from (select 1 from recent where kind = 'contact' and days < 90 group by customer_key "
        "having count(*) >= 4 or count(*) filter (where days < 30) >= 2) as often"
    ),
    "asked soon after a complaint": "select count(*) from recent where kind = 'complaint' and days < 30",
    "asked though held out": "select count(*) from asked where is_control",
    "invited though a customer": (
        "select count(*) from build_actions.lead_calls as calls "
        "inner join held on calls.customer_key = held.customer_key where calls.is_handed_out"
    ),
}
RECOMMENDED = {
    "above the risk rating": (
        "select count(*) from listed where coalesce(product_level, 9) > coalesce(customer_level, 1)"
    ),
    "already held": (
        "select count(*) from listed inner join held "
        "on listed.customer_key = held.customer_key and listed.product_code = held.product_code"
    ),
    "below the smallest purchase": (
        "select count(*) from listed where amount < coalesce(smallest_amount, 0) or amount <= 0"
    ),
    "more than lies free": "select count(*) from listed where amount > coalesce(free_amount, 0)",
    "too long for the age": (
        "select count(*) from listed "
        "where days > 180 and (as_of_date - birth_date + days) / 365.25 > 75.01 or days > 180 and birth_date is null"
    ),
    "more than three": "select count(*) from (select 1 from listed group by customer_key having count(*) > 3) as long",
}


def violations(settings: Settings) -> dict[str, int]:
    """How many recommendations, and offers and calls that are handed out, break each rule."""
    found = {rule: _count(settings, _FACTS + _LISTED + sql) for rule, sql in RECOMMENDED.items()}
    return found | {rule: _count(settings, _FACTS + _ASKED + sql) for rule, sql in ASKED.items()}


def _count(settings: Settings, sql: str) -> int:
    return warehouse.query(settings, sql).column(0)[0].as_py()


if __name__ == "__main__":
    broken = violations(Settings.from_env())
    for rule, count in broken.items():
        print(f"{rule}: {count:,}")
    sys.exit(any(broken.values()))
