"""The intraday road: what it shows of a day equals the day's batch, however often and in what order the events came."""

import gzip
import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from c360 import pipeline
from lakehouse import intraday, warehouse
from lakehouse.intraday.loop import NothingPublished
from lakehouse.lake import intraday_files
from lakehouse.settings import Settings
from simulator.intraday import replay, to_landing
from tests.pipeline.bank import copy_of, send_events
from tests.pipeline.conftest import D3, LAST_OF_HISTORY, Undisturbed

FLOW = (
    "customer_key, counterparty_class, direction, txn_count, amount, wallet_payment_count, wallet_payment_amount "
    "from {table} where business_date = $1 order by 1, 2, 3"
)


@pytest.fixture(scope="module")
def started(history: Settings, landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The history is published; micro-batches will land in a folder of their own."""
    folder = tmp_path_factory.mktemp("intraday")
    settings = copy_of(history, folder)
    return settings.model_copy(update={"landing": folder / "landing"})


@pytest.fixture(scope="module")
def told(started: Settings, landing: Path) -> Settings:
    """The third day has come as micro-batches: some twice, one cut short, one event that breaks its contract."""
    send(started, landing)
    batches = sorted(started.landing.glob("intraday/transactions/*.gz"))
    again = [batch.read_bytes() for batch in batches[:3]]
    intraday.run(started, every=0, seconds=0)
    assert not list(started.landing.glob("intraday/*/*.gz"))
    for number, content in enumerate(again):
        (batches[0].parent / f"again-{number}.jsonl.gz").write_bytes(content)
    (batches[0].parent / "cut.jsonl.gz").write_bytes(again[0][:-20])
    send_events(started.landing, "bad", {**events(again[0])[0], "txn_id": "BAD", "amount": -1})
    intraday.run(started, every=0, seconds=0)
    return started


def send(settings: Settings, source: Path) -> None:
    replay(source, D3, to_landing(settings.landing), rate=0, seconds=1, copies=1)


def events(batch: bytes) -> list[dict]:
    return [json.loads(line) for line in gzip.decompress(batch).decode().splitlines()]


def flow(settings: Settings, table: str, day: date) -> list[dict]:
    return warehouse.query_serving(settings, f"select {FLOW.format(table=table)}", [day]).to_pylist()


def test_the_day_so_far_equals_the_day_s_batch_to_the_cent(told: Settings, day_by_day: Undisturbed) -> None:
    """Money of an account that was opened since the last publication is nobody's until the batch."""
    opened = warehouse.query_serving(
        day_by_day.settings, "select customer_key from marts.dim_account where opened_date > $1", [LAST_OF_HISTORY]
    )
    unsettled = set(opened["customer_key"].to_pylist())
    by_batch = flow(day_by_day.settings, "marts.fund_flow_daily", D3)
    by_event = flow(told, "marts.fund_flow_intraday", D3)
    assert by_event == flow(told, "marts.fund_flow", D3)
    assert settled(by_event, unsettled) == settled(by_batch, unsettled) and len(settled(by_batch, unsettled)) > 50
    customers = warehouse.query_serving(told, "select distinct customer_key from marts.dim_customer")
    assert {row["customer_key"] for row in by_event} <= set(customers["customer_key"].to_pylist())


def known_account(settings: Settings) -> dict[str, str]:
    """An account of a customer who is published."""
    (account,) = warehouse.query(
        settings,
        "select account_no, customer_key from build_marts.dim_account join raw.accounts using (account_no_token) "
        "where customer_key is not null order by account_no limit 1",
    ).to_pylist()
    return account


def settled(rows: list[dict], unsettled: set[str]) -> list[dict]:
    return [row for row in rows if row["customer_key"] not in unsettled]


def test_what_came_again_late_or_broken_is_told(told: Settings) -> None:
    status = intraday.read_status(told)
    assert status["new_events"] > 0 and status["repeated_events"] > 0
    assert status["refused_events"] == 1
    assert status["delay_max_seconds"] < 3600
    refuge = told.lake / "quarantine" / "intraday" / "transactions"
    assert {path.suffix for path in refuge.iterdir()} == {".gz", ".parquet"}


def test_no_personal_data_in_the_intraday_lake(told: Settings) -> None:
    for feed in ("transactions", "wallet_payments"):
        for file in intraday_files(told.lake, feed, D3):
            columns = duckdb.read_parquet(str(file.path)).columns
            assert not {"account_no", "counterparty_account", "remark"} & set(columns)


def test_readers_who_stay_connected_see_the_day_go_on_and_published_days_stay(told: Settings) -> None:
    """An event for a day that is published waits for the batch to be corrected; it never counts on top of it."""
    account = known_account(told)
    template = {
        "account_no": account["account_no"],
        "direction": "D",
        "channel": "mobile",
        "txn_type": "transfer",
        "amount": 7.01,
    }
    template |= {"txn_at": f"{D3} 01:00:00", "event_at": f"{D3} 01:00:01"}
    with duckdb.connect(told.warehouse, read_only=True) as reader:
        count = (
            "select count(*) from marts.fund_flow_intraday "
            f"where customer_key = '{account['customer_key']}' and counterparty_class = 'unknown_transfer'"
        )
        assert reader.execute(count).fetchall() == [(0,)]
        days = ((1, D3), (2, D3 + timedelta(days=1)), (3, LAST_OF_HISTORY))
        send_events(
            told.landing,
            "more",
            *(template | {"txn_id": f"X{number}", "business_date": str(day)} for number, day in days),
        )
        intraday.run(told, every=0, seconds=0)
        assert reader.execute(count).fetchall() == [(2,)]
    assert intraday.read_status(told)["late_events"] == 1


def test_an_unusual_outflow_raises_an_alert_and_an_action_within_the_day(told: Settings) -> None:
    (usual,) = warehouse.query(
        told,
        "select customer_key, min(account_no) as account_no, max(alert_amount) as alert_amount "
        "from build_marts.outflow_baselines join build_marts.dim_account using (customer_key) "
        "join raw.accounts using (account_no_token) join build_actions.contact_policy using (customer_key) "
        "where flow_kind = 'leak' and is_allowed and not is_control "
        "group by customer_key order by customer_key limit 1",
    ).to_pylist()
    event = {"txn_id": "LEAK", "account_no": usual["account_no"], "business_date": str(D3), "direction": "D"}
    event |= {"channel": "mobile", "txn_type": "mmf", "counterparty_bank": "余额宝", "txn_at": f"{D3} 01:00:00"}
    send_events(
        told.landing, "leak", event | {"amount": round(usual["alert_amount"] + 1, 2), "event_at": f"{D3} 01:00:01"}
    )
    intraday.run(told, every=0, seconds=0)
    for table in ("marts.outflow_alerts_intraday", "actions.outflow_actions_intraday"):
        found = warehouse.query_serving(
            told, f"select * from {table} where customer_key = $1 and business_date = $2", [usual["customer_key"], D3]
        )
        assert found.num_rows >= 1, table


def test_many_small_lake_files_are_merged_and_nothing_is_lost(told: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = flow(told, "marts.fund_flow_intraday", D3)
    monkeypatch.setattr("lakehouse.intraday.batches.MERGED_FILES", 2)
    row = {
        "txn_id": "X1",
        "account_no": known_account(told)["account_no"],
        "direction": "D",
        "channel": "mobile",
        "txn_type": "transfer",
    }
    row |= {"amount": 7.01, "business_date": str(D3), "txn_at": f"{D3} 01:00:00", "event_at": f"{D3} 01:00:01"}
    for number in range(3):
        send_events(told.landing, f"merge-{number}", row)
        intraday.run(told, every=0, seconds=0)
    assert len(intraday_files(told.lake, "transactions", D3, D3)) == 1
    assert flow(told, "marts.fund_flow_intraday", D3) == before


def test_the_batch_reconciles_with_the_micro_batches(
    told: Settings, landing: Path, day_by_day: Undisturbed, tmp_path: Path
) -> None:
    """One event is missing, one has another amount, one is in no batch; all others agree."""
    settings = copy_of(day_by_day.settings, tmp_path).model_copy(update={"landing": tmp_path / "landing"})
    send(settings, landing)
    for path in settings.landing.glob("intraday/transactions/*.gz"):
        first, second, *rest = events(path.read_bytes())
        rest += [rest[0], {**second, "txn_id": "ELSE"}]
        send_events(
            settings.landing,
            path.name.removesuffix(".jsonl.gz"),
            {**second, "amount": round(second["amount"] + 0.01, 2)},
            *rest,
        )
        break
    # as the loop would, before the batch came
    places = {"lake": tmp_path / "earlier", "warehouse": told.warehouse, "published": tmp_path / "shown"}
    earlier = settings.model_copy(update=places)
    intraday.run(earlier, every=0, seconds=0)
    shutil.copytree(earlier.lake / "intraday", settings.lake / "intraday")
    pipeline.publish_ops(settings, D3, "reconcile")
    found = warehouse.query_serving(settings, "select * from ops.intraday_differences").to_pylist()
    assert {row["event_key"]: row["difference"] for row in found} == {
        first["txn_id"]: "not intraday",
        second["txn_id"]: "other amount",
        "ELSE": "not in the daily batch",
    }
    (day,) = warehouse.query_serving(
        settings, "select * from ops.intraday_reconciliation where feed = 'transactions'"
    ).to_pylist()
    assert (day["repeated_count"], day["difference_count"]) == (1, 3)
    (total,) = warehouse.query_serving(
        settings, "select sum(amount) as amount from marts.fct_transactions where business_date = $1", [D3]
    ).to_pylist()
    assert day["daily_amount"] == total["amount"]


def test_without_a_daily_run_there_is_nothing_to_go_on_from(settings: Settings) -> None:
    with pytest.raises(NothingPublished, match="run one first"):
        intraday.run(settings, every=0, seconds=0)


def test_one_loop_at_a_time(started: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def second(*_: object) -> None:
        with pytest.raises(intraday.LoopRuns):
            intraday.run(started, every=0, seconds=0)

    monkeypatch.setattr(intraday.loop.Loop, "turn", second)
    intraday.run(started, every=0, seconds=0)
