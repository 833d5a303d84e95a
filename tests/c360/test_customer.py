"""Lines of the customer's page."""

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from c360.reports.customer import (
    CustomerReport,
    by_band,
    closing_line,
    leak_line,
    loans,
    manager_line,
    other_side,
    page,
    runway_line,
    stage,
    touch_channel,
    touch_time,
    until_today,
)
from lakehouse.language import Voice

RUNWAY = {
    "as_of_date": date(2026, 1, 3),
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
        "inflow covers 50 % of outflow, lasts 71 days at this pace, main payer 68 % of 3 payers' money, "
        "payers overdue: 1, the largest of them last paid on 2025-09-24"
    )


def test_a_pace_that_counts_money_which_no_longer_comes_is_not_carried_on() -> None:
    recent = RUNWAY | {"inflow_cover_rate": 1.0, "runway_days": 36_500, "broken_last_date": date(2025, 10, 15)}
    line = runway_line(recent)
    assert line.startswith("inflow covered 100 % of outflow, overdue payers' money included, main payer 68 %")
    assert "lasts" not in line
    assert "可支撑" not in runway_line(recent, Voice("zh"))
    assert "lasts more than ten years" in runway_line(recent | {"chain_state": "holds"})  # a lesser payer


def test_one_payer_is_not_the_main_one_of_several() -> None:
    alone = RUNWAY | {"chain_state": "holds", "broken_payer_count": 0, "payer_count": 1, "main_payer_share": 1.0}
    assert runway_line(alone) == "inflow covers 50 % of outflow, lasts 71 days at this pace, one payer alone"
    assert runway_line(alone, Voice("zh")).endswith("仅有一个付款方")


class Row(dict):
    """A row of which only what a test names is known."""

    def __missing__(self, name: str) -> None:
        return None


@pytest.mark.parametrize("actions", [[], [Row(source="retention", is_handed_out=True, action_state="open")]])
def test_the_page_speaks_of_what_is_urgent_only_where_something_is_to_be_done(actions: list[Row]) -> None:
    customer = Row(star_tier=1, current_star_tier=1, aum_amount=0, deposit_amount=0, investment_amount=0)
    report = replace(reported([]), customer=customer, runway=None, leak=None, actions=actions)
    for language, quiet, above in (
        ("en", "No change of habits in half a year.", "What is urgent stands above."),
        ("zh", "近半年习惯没有变化。", "紧急事项见上文。"),
    ):
        text = page(report, language)
        assert quiet in text
        assert (above in text) == bool(actions)


def test_nobody_waits_for_the_payers_of_somebody_who_has_left() -> None:
    assert runway_line(RUNWAY | {"chain_state": "left"}) == ""


def test_a_main_payer_who_has_long_been_silent_is_said_to_be() -> None:
    holds = RUNWAY | {"chain_state": "holds", "broken_payer_count": 0, "inflow_cover_rate": None, "runway_days": None}
    main = "main payer 68 % of 3 payers' money"
    assert runway_line(holds, payers=[{"last_date": date(2024, 10, 10)}]) == f"{main}, last paid on 2024-10-10"
    assert runway_line(holds, payers=[{"last_date": date(2025, 12, 5)}]) == main
    assert runway_line(holds) == main


def reported(stages: list[dict[str, object]], **customer: object) -> CustomerReport:
    nothing = {name: [] for name in CustomerReport.__dataclass_fields__}
    return CustomerReport(**nothing | {"customer": customer, "stages": stages})


def test_a_stage_has_the_reason_of_today_and_not_that_of_its_first_month() -> None:
    begun = {
        "life_cycle_stage": "mature", "valid_from": date(2024, 1, 31),
        "reason_en": "without an earlier average of assets to compare with", "reason_zh": "尚无可比的早期日均资产",
    }  # fmt: skip
    report = reported([begun], life_cycle_stage="mature", life_cycle_reason="assets_steady")
    assert stage(report) == "mature since 2024-01-31: average assets are steady"
    assert stage(report, Voice("zh")) == "成熟，自 2024-01-31 起：日均资产平稳"


MANAGERS = [
    {"rm_id": "RM2", "valid_from": date(2025, 10, 23), "valid_to": None, "is_current": True, "rm_left_date": None},
    {"rm_id": "RM1", "valid_from": date(2021, 5, 2), "valid_to": date(2025, 10, 8), "is_current": False,
     "rm_left_date": date(2025, 10, 7)},
]  # fmt: skip


@pytest.mark.parametrize(
    ("rm_id", "managers", "said"),
    [
        ("RM2", MANAGERS, "manager RM2 since 2025-10-23 (before RM1, who left on 2025-10-07)"),
        ("RM2", [MANAGERS[0]], "manager RM2"),
        ("RM2", [], "manager RM2"),
        (None, [], "no relationship manager"),
        (None, MANAGERS[1:], "no relationship manager since 2025-10-08 (before RM1, who left on 2025-10-07)"),
        (None, [MANAGERS[0] | {"is_current": False}], "no relationship manager (before RM2)"),
        ("RM2", [MANAGERS[0], MANAGERS[1] | {"rm_left_date": None}], "manager RM2 since 2025-10-23 (before RM1)"),
    ],
)
def test_a_change_of_manager_is_told(rm_id: str | None, managers: list[dict[str, object]], said: str) -> None:
    assert manager_line(rm_id, managers) == said


@pytest.mark.parametrize(
    ("closed", "due", "amount", "said"),
    [
        (date(2026, 1, 2), date(2026, 1, 2), Decimal("22062.38"), "came due on 2026-01-02, CNY 22,062 paid out"),
        (date(2026, 1, 2), None, None, "closed on 2026-01-02"),
        (date(2025, 12, 20), date(2026, 1, 4), None, "closed on 2025-12-20, before it was due on 2026-01-04"),
    ],
)
def test_what_was_closed_of_late_stays_on_the_page(
    closed: date, due: date | None, amount: Decimal | None, said: str
) -> None:
    closing = {"product_code": "FD03", "product_name": None, "closed_date": closed, "maturity_date": due}
    assert closing_line(closing | {"amount": amount}, "CNY") == f"FD03: {said}"


def test_debts_and_leaks_are_told_where_there_are_any() -> None:
    owing = {"currency": "CNY", "loan_amount": Decimal("294239.54"), "days_past_due": 20}
    assert loans(owing) == "owes CNY 294,240, 20 days past due"
    assert loans(owing | {"days_past_due": 0}) == "owes CNY 294,240"
    assert loans(owing | {"loan_amount": Decimal(0)}) == ""
    leak = {"leak_30d_amount": Decimal(19954), "previous_30d_amount": Decimal(8022), "leak_rate": 0.364}
    assert leak_line(leak, "CNY") == (
        "CNY 19,954 went to outside funds and wallets in 30 days (36 % of what was there); "
        "in the 30 days before CNY 8,022"
    )


def test_the_last_point_of_the_plot_is_the_day_of_the_report() -> None:
    december, today = {"as_of_date": date(2025, 12, 31)}, date(2026, 1, 3)
    report = reported([], as_of_date=today, aum_amount=24765)
    assert [row["as_of_date"] for row in until_today(replace(report, months=[december]))] == [date(2025, 12, 31), today]
    assert len(until_today(replace(report, months=[december, {"as_of_date": today}]))) == 2


def test_the_scores_to_look_at_stand_in_front() -> None:
    scores = [
        {"task": task, "band": band, "score": score}
        for task, band, score in (("a", "low", 0.9), ("b", "medium", 0.1), ("c", "high", 0.2), ("d", "high", 0.3))
    ]
    assert [row["task"] for row in by_band(scores)] == ["d", "c", "b", "a"]


def test_an_action_is_of_a_day_and_of_the_list_and_a_call_of_a_time() -> None:
    zone = timezone(timedelta(hours=8))
    action = {"touch_kind": "action", "touched_at": datetime(2026, 1, 3), "channel": "campaign"}
    call = {"touch_kind": "rm_contact", "touched_at": datetime(2026, 1, 2, 23, 30), "channel": "rm"}
    assert (touch_time(action, zone), touch_channel(action)) == ("2026-01-03", "worklist")
    assert (touch_time(call, zone), touch_channel(call)) == ("2026-01-03 07:30", "relationship manager")


def test_an_account_elsewhere_is_shown_by_the_beginning_of_its_token() -> None:
    assert other_side({"other_key": "cif:C1"}) == "cif:C1"
    assert other_side({"other_key": "outside:0640812345"}) == "outside (064081)"
    assert other_side({"other_key": "outside:0640812345"}, Voice("zh")) == "行外账户（064081）"
