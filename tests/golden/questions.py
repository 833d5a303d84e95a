"""Questions that an analyst asks of metrics, and SQL that answers them from the landed files alone.

``positions`` (a customer on every month-end and on the business date), ``fct_transactions``, ``fct_balances_daily`` and
``links`` are made of the files by ``expected/`` and ``landed.py``; no line of them reads what the pipeline publishes.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """Metrics, what divides them, and rows of the same columns from the landed files."""

    metrics: tuple[str, ...]
    by: tuple[str, ...]
    expected: str


_DATES = """
    select *, cast(date_trunc('month', as_of_date) as date) as month from positions
    where as_of_date = last_day(as_of_date) or as_of_date = getvariable('business_date')
"""
_MOVES = f"""
    select *, lag(star_tier) over earlier as tier_before, lag(life_cycle_stage) over earlier as stage_before,
        lag(home_branch_code) over earlier as branch_before, lag(rm_id) over earlier as rm_before
    from ({_DATES}) window earlier as (partition by customer_key order by as_of_date)
"""
_TIER_MOVES = f"""
    select moves.*, spells.is_move from ({_MOVES}) as moves left join customer_tier_history as spells
        on moves.customer_key = spells.customer_key and moves.as_of_date = spells.valid_from
"""
_POSTINGS = """
    select *, cast(date_trunc('month', business_date) as date) as month from fct_transactions
    join (
        select account_no_token, any_value(customer_no) as customer_no from accounts group by all
    ) using (account_no_token)
    join links on links.party_key = 'cif:' || customer_no
"""
_OPENED = """
    select customer_key, min(opened) as first_opened_date from (
        select 'cif:' || customer_no as party_key, opened_date as opened from accounts
        union all select 'cif:' || customer_no, start_date from holdings
    ) join links using (party_key) group by all
"""
_CONTACTS = f"""
    select *, row_number() over (partition by customer_key order by contact_date, party_key) = 1 as is_first
    from (
        select 'lead:' || lead_id as party_key, source, cost, business_date as contact_date from social_leads
        qualify row_number() over (partition by lead_id order by business_date, known_date, delivery, row) = 1
        union all
        select 'online:' || user_id, platform, 0, business_date from registrations
        qualify row_number() over (partition by user_id order by business_date, known_date, delivery, row) = 1
            and lead_id is null
    ) join links using (party_key) left join ({_OPENED}) using (customer_key)
"""
_APPLICATIONS = """
    with events as (
        select *, customer_key from app_events join links on party_key = 'online:' || user_id
        where event_name in ('apply_start', 'apply_finish')
        qualify row_number() over (partition by event_id order by known_date, delivery, row) = 1
    ),
    starts as (
        select customer_key, product_code, product_family, business_date, min(event_at) as started_at
        from events left join products using (product_code) where event_name = 'apply_start' group by all
    ),
    openings as (
        select account_no as asset, customer_no, product_code, opened_date, business_date from accounts
        union all select holding_id, customer_no, product_code, start_date, business_date from holdings
        union all select loan_no, customer_no, product_code, granted_date, business_date from loans
    ),
    ends as (
        select customer_key, 'online' as place, product_code, null as family, null as service, event_at as ended_at,
            business_date, null as opened_date
        from events where event_name = 'apply_finish'
        union all
        select customer_key, 'branch', null, null, service_type, served_at, business_date, null
        from branch_visits join links on party_key = 'cif:' || customer_no where served_at is not null
        union all
        select customer_key, 'opening', null, product_family, null, min(business_date) + 1, min(business_date),
            min(opened_date)
        from openings join links on party_key = 'cif:' || customer_no left join products using (product_code)
        group by customer_key, asset, product_family
    )
    select
        starts.*,
        (
            select arg_min(place, row(ended_at, place)) from ends
            where ends.customer_key = starts.customer_key and ended_at >= started_at
                and ends.business_date <= starts.business_date + 14
                and (
                    (place = 'online' and ends.product_code is not distinct from starts.product_code)
                    or (place = 'branch' and service = case
                        when product_family = 'loan' then 'loan'
                        when product_family is null or product_family = 'card' or product_family in (
                            'current', 'savings', 'fixed_deposit', 'step_up_deposit', 'structured_deposit'
                        ) then 'account'
                        else 'wealth'
                    end)
                    or (place = 'opening' and opened_date >= starts.business_date
                        and (starts.product_code is null or family = product_family))
                )
        ) as finished
    from starts
"""

QUESTIONS = {
    "assets and customers by branch and tier, over the months": Question(
        ("aum", "customers"),
        ("month", "home_branch_code", "star_tier"),
        f"""
        select month, home_branch_code, star_tier, sum(aum_amount), count(*) filter (where asset_count > 0)
        from ({_DATES}) group by all
        """,
    ),
    "tier migration": Question(
        ("tier_rises", "tier_falls"),
        ("month",),
        f"""
        select month, count(*) filter (where is_move and star_tier > tier_before),
            count(*) filter (where is_move and star_tier < tier_before)
        from ({_TIER_MOVES}) group by all
        """,
    ),
    "who left, by month, branch and tier that they had": Question(
        ("customers_left",),
        ("month", "home_branch_code", "star_tier"),
        f"""
        select month, branch_before, tier_before,
            count(*) filter (where life_cycle_stage = 'lost' and stage_before not in ('lost', 'prospect'))
        from ({_MOVES}) group by all
        """,
    ),
    "whose customers left, and the rate": Question(
        ("customers_left", "churn_rate"),
        ("rm_id",),
        f"""
        select rm_before, count(*) filter (where life_cycle_stage = 'lost'),
            count(*) filter (where life_cycle_stage = 'lost' and as_of_date = last_day(as_of_date))
            / nullif(count(*) filter (where as_of_date = last_day(as_of_date)), 0)
        from ({_MOVES}) where stage_before not in ('lost', 'prospect') group by all
        """,
    ),
    "out of which tiers": Question(
        ("tier_rises", "tier_falls"),
        ("star_tier",),
        f"""
        select tier_before, count(*) filter (where is_move and star_tier > tier_before),
            count(*) filter (where is_move and star_tier < tier_before)
        from ({_TIER_MOVES}) group by all
        """,
    ),
    "new money": Question(
        ("net_new_money",),
        ("month",),
        f"""
        select month, sum(signed_amount) from ({_POSTINGS})
        where counterparty_class not in ('opening', 'own_transfer', 'own_product', 'bank', 'loan_grant') group by all
        """,
    ),
    "new money of the customers of a branch, a tier and a manager": Question(
        ("net_new_money",),
        ("home_branch_code", "star_tier", "rm_id"),
        f"""
        select home_branch_code, star_tier, rm_id, sum(signed_amount) from ({_POSTINGS})
        left join (from positions where as_of_date = getvariable('business_date')) as today using (customer_key)
        where counterparty_class not in ('opening', 'own_transfer', 'own_product', 'bank', 'loan_grant') group by all
        """,
    ),
    "a manager's portfolio": Question(
        ("customers", "aum"),
        ("rm_id",),
        """
        select rm_id, count(*) filter (where asset_count > 0), sum(aum_amount) from positions
        where as_of_date = getvariable('business_date') group by all
        """,
    ),
    "leaks": Question(
        ("leak",),
        (),
        f"""
        select sum(amount) from ({_POSTINGS}) join positions using (customer_key)
        where as_of_date = getvariable('business_date') and life_cycle_stage not in ('prospect', 'lost')
            and direction = 'D' and counterparty_class in ('money_market_fund', 'wallet')
            and business_date > getvariable('business_date') - 30 and business_date <= getvariable('business_date')
        """,
    ),
    "cost per acquired customer, by source": Question(
        ("acquisition_cost", "acquired_customers", "leads"),
        ("source",),
        f"""
        select source, sum(cost), count(*) filter (where is_first and first_opened_date >= contact_date), count(*)
        from ({_CONTACTS}) group by all
        """,
    ),
    "where books and balances part": Question(
        ("balance_break_count",),
        (),
        """
        select count(*) from (
            select difference_amount - coalesce(lag(difference_amount) over earlier, 0) as step
            from fct_balances_daily where difference_amount is not null
            window earlier as (partition by account_no_token order by business_date)
        ) where step <> 0
        """,
    ),
    "what customers did online": Question(
        ("online_touches",),
        (),
        """
        select (select count(*) from fct_transactions where channel in ('app', 'web', 'mall'))
            + (select count(distinct event_id) from app_events) + (select count(distinct order_id) from mall_orders)
            + (select count(distinct complaint_id) from complaints where channel in ('mobile', 'web'))
        """,
    ),
    "from online to a branch": Question(
        ("applications", "handovers"),
        ("month",),
        f"""
        select cast(date_trunc('month', business_date) as date), count(*), count(*) filter (where finished = 'branch')
        from ({_APPLICATIONS}) group by all
        """,
    ),
    "what arrived": Question(("deliveries",), (), "select count(*) from delivered"),
}

# Questions whose answer is a table that needs no join: what is read of it, and the same from the landed files.
TABLES = {
    "answers to campaigns": (
        "select campaign_id, contact_count, answered_count, cost_amount from marts.campaigns",
        """
        select
            campaign_id,
            count(*),
            count(*) filter (where touch_id in (
                select touch_id from campaign_responses where response in ('clicked', 'applied', 'converted')
            )),
            sum(cost)
        from (
            from campaign_touches
            qualify row_number() over (partition by touch_id order by known_date, delivery, row) = 1
        ) where arm = 'treatment' group by all
        """,
    ),
    "how fresh each feed is": (
        "select feed, last_cutoff_date, delivery_count from ops.freshness",
        "select feed, max(cutoff_date), count(*) from delivered group by all",
    ),
}
