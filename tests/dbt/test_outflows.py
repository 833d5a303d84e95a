"""The daily run and the intraday loop judge an outflow by one rule, and every part of it moves both.

Each customer of the story hangs on one part of the rule. The bank is built twice, as shipped and with every part
changed; each time the loop sees the events of the last day on what was published the day before.
"""

from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from lakehouse.intraday import totals
from lakehouse.lake import IntradayFile
from lakehouse.warehouse import run_dbt
from tests.conftest import temporary_settings
from tests.dbt.bank import Bank
from tests.dbt.rows import posting

FIRST, YESTERDAY, TODAY = "2025-01-01", "2025-04-02", "2025-04-03"
MODELS = (
    "outflow_alerts",
    "flow_kinds",
    "outflow_watch",
    "counterparty_rules",
    "own_banks",
    "int_customer__contact_facts",
    "int_customer__contact_bars",
    "contact_policy",
    "action_words",
)
MODELS += ("outflow_actions", "dim_wallet", "wallet_classes", "dim_date", "fund_chain_edges")
RICH = {"sum": 2_500_000, "known_payee": 250_000, "new_payee": 250_000}
BANK = {"counterparty_bank": "招商银行"}
# customer -> today's posting: (amount, what else it says)
TODAY_S: dict[str, tuple[int, dict[str, Any]]] = {
    "share": (35_000, BANK),
    "sum": (250_000, BANK),
    "small_payee": (29_000, BANK | {"counterparty_account": "Q3"}),
    "known_payee": (55_000, BANK | {"counterparty_account": "Q4"}),
    "new_payee": (55_000, BANK | {"counterparty_account": "Q5"}),
    "broker": (50_000, {"txn_type": "investment", "counterparty_bank": "中信证券"}),
    "product": (50_000, {"txn_type": "investment"}),
    "outside_fund": (50_000, {"txn_type": "investment", "counterparty_bank": "某某基金"}),
    "rule": (50_000, {"counterparty_bank": "安心理财"}),
    "own_bank": (50_000, {"counterparty_bank": "本行总部"}),
    "leak": (50_000, {"txn_type": "wallet", "channel": "wallet", "counterparty_bank": "支付宝"}),
    "pay_days": (50_000, BANK),
    "pay_class": (50_000, BANK),
    "lent_days": (80_000, BANK),
    "lent_class": (80_000, BANK),
    "usual": (6_000, BANK),
}
CHANGED_VARIABLES = {
    "outflow_classes": ["wallet", "other_bank", "broker"],
    "leak_classes": ["money_market_fund"],
    "own_banks": ["本行", "本行总部"],
    "pay_classes": ["salary", "bank"],
    "lent_classes": ["loan_grant", "cash"],
}
CHANGED_SEEDS = (
    "update {limits} set share_rate = 0.45 where star_tier = 3",
    "update {limits} set sum_amount = 200000 where star_tier = 6",
    "update {limits} set payee_amount = 25000 where star_tier = 3 and flow_kind = 'outflow'",
    "update {limits} set payee_amount = 60000 where star_tier = 4 and flow_kind = 'outflow'",
    "insert into {rules} values (74, null, null, 'outside', '%安心理财%', 'merchant')",
    "update {money} set threshold_value = 5 where threshold = 'outflow_pay_days'",
    "update {money} set threshold_value = 2 where threshold = 'outflow_lent_days'",
    "update {money} set threshold_value = 7000 where threshold = 'outflow_minimum_amount'",
)
SEEDS = {
    "limits": "build_seeds.outflow_limits_by_tier",
    "rules": "build_seeds.counterparty_classes",
    "money": "build_seeds.money_thresholds",
}
COLUMNS = (
    "customer_key, flow_kind, season, amount, lent_amount, assets_before_amount, round(asset_share, 9), payee_amount, "
    "round(usual_amount, 4), round(robust_z, 6), is_unusual, is_large_share, is_large_sum, is_new_payee, is_serious, "
    "star_tier, branch_code"
)
WORDS = "customer_key, reason_en, reason_zh, is_serious, is_allowed, block_reason, is_control, is_handed_out, channel"


class Roads(NamedTuple):
    """What both roads say of today, row by row."""

    daily: list[tuple]
    loop: list[tuple]
    daily_actions: list[tuple]
    loop_actions: list[tuple]

    def alerts(self) -> dict[str, dict[str, tuple]]:
        """customer -> kind of outflow -> its row."""
        found: dict[str, dict[str, tuple]] = {}
        for row in self.daily:
            found.setdefault(row[0].removeprefix("cif:"), {})[row[1]] = row
        return found


def deliver_history(bank: Bank) -> None:
    """Three months: money brought forward, and what the cases hang on."""
    bank.deliver("products", "2025-03", [dict(product_code="CUR", product_name="C", product_family="current")])
    bank.deliver("branches", "2025-03", [dict(branch_code="B1", branch_name="Main")], known="1900-01-01")
    bank.deliver("holidays", "2025-03", [dict(holiday_date="2025-01-01", holiday_name="元旦", is_workday=False)])
    cif = dict(party_type="P", name="n", home_branch_code="B1", opened_date=FIRST, phone="1", business_date=FIRST)
    bank.deliver("customers", "2025-01", [dict(customer_no=name, **cif) for name in TODAY_S])
    account = dict(product_code="CUR", branch_code="B1", currency="CNY", opened_date=FIRST, status="open")
    account["business_date"] = FIRST
    bank.deliver("accounts", "2025-01", [dict(account_no=name, customer_no=name, **account) for name in TODAY_S])
    opening = {"channel": "batch", "txn_type": "brought_forward"}
    history = [posting(f"o-{name}", name, FIRST, RICH.get(name, 100_000), "C", **opening) for name in TODAY_S]
    history += [
        posting("h-payee", "known_payee", "2025-02-03", 10, counterparty_account="Q4", **BANK),
        posting("h-pay", "pay_days", "2025-03-29", 1000, "C", channel="batch", txn_type="salary"),
        posting("h-lent", "lent_days", "2025-03-29", 50_000, "C", channel="batch", txn_type="loan_grant"),
    ]
    history += [posting(f"h-usual-{day}", "usual", f"2025-02-{day:02}", 500, **BANK) for day in range(3, 15)]
    bank.deliver("transactions", "2025-01", history)
    yesterday = [
        posting("y-pay", "pay_class", YESTERDAY, 10, "C", channel="batch", txn_type="interest"),
        posting("y-lent", "lent_class", YESTERDAY, 50_000, "C", channel="counter", txn_type="cash"),
    ]
    bank.deliver("transactions", YESTERDAY, yesterday)


def todays() -> list[dict[str, Any]]:
    return [posting(f"t-{name}", name, TODAY, amount, **given) for name, (amount, given) in TODAY_S.items()]


def build(bank: Bank, day: str, variables: dict[str, Any]) -> None:
    """Everything from the first day on, from the seeds as they stand in the engine."""
    given = {"business_date": day, "from_date": FIRST, **variables}
    selection = " ".join(f"+{name}" for name in MODELS)
    run_dbt(temporary_settings(bank.folder), selection, given, without="resource_type:seed")


def in_the_loop(bank: Bank, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[tuple], list[tuple]]:
    """Today's postings as events, on what the engine holds of yesterday in place of what was published."""
    reader = bank.connect()

    def query(_settings: object, statement: str, parameters: list[object]) -> object:
        schemas = statement.replace("marts.", "build_marts.").replace("actions.", "build_actions.")
        return reader.sql(schemas, params=parameters).to_arrow_table()

    monkeypatch.setattr(totals.warehouse, "query_serving", query)
    path = folder / "000000000001-000000000001.parquet"
    with duckdb.connect() as con:
        totals.create_tables(con)
        totals.refresh(temporary_settings(folder), con, date.fromisoformat(YESTERDAY))
        reader.close()
        con.execute(
            "create table events (txn_id varchar, account_no_token varchar, business_date date, direction varchar, "
            "amount decimal(18,2), txn_type varchar, channel varchar, counterparty_bank varchar, "
            "counterparty_account_token varchar)"
        )
        for row in todays():
            other = row.get("counterparty_account")
            con.execute(
                "insert into events values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                [
                    *(row["txn_id"], f"token of {row['account_no']}"),
                    *(row[name] for name in ("business_date", "direction", "amount")),
                    *(row["txn_type"], row["channel"], row.get("counterparty_bank"), other and f"token of {other}"),
                ],
            )
        con.execute(f"copy events to '{path}' (format parquet)")
        totals.add(con, "transactions", [IntradayFile.of(path)], date.fromisoformat(YESTERDAY), 1)
        totals.total(con)
        return tuple(
            con.execute(f"select {columns} from {table} order by all").fetchall()
            for columns, table in ((COLUMNS, "outflow_alerts_intraday"), (WORDS, "outflow_actions_intraday"))
        )


@pytest.fixture(scope="module")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Roads]:
    """Both roads as shipped (False) and with every part of the rule changed (True)."""
    folder = tmp_path_factory.mktemp("outflows")
    bank = Bank(folder)
    deliver_history(bank)
    run_dbt(temporary_settings(folder), "resource_type:seed", {"business_date": YESTERDAY, "from_date": FIRST})

    @cache
    def both(is_changed: bool) -> Roads:
        if is_changed:
            both(False)  # which finds the seeds as they are shipped
            with bank.connect() as connection:
                for statement in CHANGED_SEEDS:
                    connection.execute(statement.format(**SEEDS))
                connection.execute(f"delete from raw.transactions where business_date = date '{TODAY}'")
        variables = CHANGED_VARIABLES if is_changed else {}
        build(bank, YESTERDAY, variables)
        with pytest.MonkeyPatch.context() as monkeypatch:
            alerts, actions = in_the_loop(bank, folder, monkeypatch)
        bank.deliver("transactions", TODAY, todays())
        build(bank, TODAY, variables)
        of_today = f"where business_date = date '{TODAY}' order by all"
        return Roads(
            bank.rows(f"select {COLUMNS} from build_marts.outflow_alerts {of_today}"),
            alerts,
            bank.rows(f"select {WORDS} from build_actions.outflow_actions {of_today}"),
            actions,
        )

    return both


@pytest.mark.timeout(1800)  # it builds the bank twice
@pytest.mark.parametrize("is_changed", [False, pytest.param(True, marks=pytest.mark.full)])
def test_both_roads_say_the_same_of_a_day(roads: Callable[[bool], Roads], is_changed: bool) -> None:
    both = roads(is_changed)
    assert both.daily == both.loop and len(both.daily) >= 8
    assert both.daily_actions == both.loop_actions and len(both.daily_actions) >= 7


def test_a_large_outflow_needs_no_history_and_an_investment_is_none(roads: Callable[[bool], Roads]) -> None:
    shipped = roads(False).alerts()
    quiet = {"sum", "small_payee", "known_payee", "broker", "product"}
    assert set(shipped) == set(TODAY_S) - quiet
    assert shipped["share"]["outflow"][11] and shipped["share"]["outflow"][14]  # a large share, and serious
    assert shipped["new_payee"]["outflow"][10:15] == (False, False, False, True, False)
    assert shipped["usual"]["outflow"][10:15] == (True, False, False, False, False)
    assert set(shipped["leak"]) == {"leak", "outflow"}
    assert shipped["lent_days"]["outflow"][14] is False and shipped["lent_class"]["outflow"][14] is True


@pytest.mark.full  # each of the two ways builds the bank twice
def test_every_part_of_the_rule_moves(roads: Callable[[bool], Roads]) -> None:
    shipped, changed = roads(False).alerts(), roads(True).alerts()
    assert set(shipped) - set(changed) >= {"share", "new_payee", "rule", "own_bank", "usual", "outside_fund"}
    assert set(changed) - set(shipped) == {"sum", "small_payee", "broker"}
    assert set(changed["leak"]) == {"outflow"}
    seasons = {name: (shipped[name]["outflow"][2], changed[name]["outflow"][2]) for name in ("pay_days", "pay_class")}
    assert set(seasons.values()) == {("ordinary", "payday")}
    assert changed["lent_days"]["outflow"][4] == 0 and shipped["lent_days"]["outflow"][4] == 50_000
    assert changed["lent_class"]["outflow"][14] is False


def test_the_sentence_says_how_much_when_and_against_what(roads: Callable[[bool], Roads]) -> None:
    sentences = {row[0]: row[1] for row in roads(False).daily_actions}
    assert sentences["cif:share"] == "CNY 35,000 left on 2025-04-03, 35 % of the assets of the day before"
    assert sentences["cif:usual"].endswith("; such a day usually takes CNY 500")
    assert "CNY 55,000 to an account never paid before" in sentences["cif:new_payee"]
    assert "the bank had lent CNY 50,000 shortly before" in sentences["cif:lent_days"]
