"""Lines of the customer's page."""

from datetime import date

from c360.reports.customer import runway_line

RUNWAY = {
    "chain_state": "inflow broken",
    "inflow_cover_rate": 0.5,
    "runway_days": 71,
    "main_payer_share": 0.68,
    "payer_count": 3,
    "broken_payer_count": 1,
    "broken_last_date": date(2025, 9, 24),
}


def test_the_line_of_the_fund_chain_says_since_when_a_payer_is_silent() -> None:
    assert runway_line(RUNWAY) == (
        "inflow covers 50% of outflow, lasts 71 days at this pace, main payer 68% of 3 payers' money, "
        "payers overdue: 1, the largest of them last paid on 2025-09-24"
    )


def test_nobody_waits_for_the_payers_of_somebody_who_has_left() -> None:
    assert runway_line(RUNWAY | {"chain_state": "left"}) == ""
