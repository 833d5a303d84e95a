"""The broker as the source within the day: real Redis and Kafka servers, and what readers see of their events."""

import gzip
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import redis
from confluent_kafka import Producer
from pydantic import SecretStr

from c360.doctor import examine
from lakehouse import intraday, warehouse
from lakehouse.intraday import batches
from lakehouse.intraday.brokers import connect, protocol
from lakehouse.settings import Settings
from lakehouse.warehouse.live import FLOWS
from simulator.intraday import replay, to_broker, to_landing
from tests.brokers import KafkaServer, RedisServer, Server
from tests.pipeline.bank import copy_of
from tests.pipeline.conftest import D3

Shown = dict[str, list[dict[str, object]]]  # rows by table
UNSAID = {"transactions": None, "wallet_payments": None}  # by Redis before 7
SERVERS = {"redis": RedisServer, "kafka": KafkaServer}


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="c360-broker-"))  # short: a socket lies in it
    server = SERVERS[request.param](folder)
    server.start()
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture
def bank(history: Settings, tmp_path: Path, server: Server) -> Settings:
    """The history is published; events come from the broker."""
    settings = copy_of(history, tmp_path / "bank")
    return settings.model_copy(update={"landing": tmp_path / "landing", "broker_url": server.url})


@pytest.fixture(scope="module")
def by_files(history: Settings, landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """The day as readers see it when its events come as files."""
    folder = tmp_path_factory.mktemp("files")
    settings = copy_of(history, folder / "bank").model_copy(update={"landing": folder / "landing"})
    replay(landing, D3, to_landing(settings.landing), rate=0, seconds=1)
    intraday.run(settings, every=0, seconds=0)
    shown = within_the_day(settings)
    assert all(shown.values()), "a table without rows would prove nothing"
    return shown


def within_the_day(settings: Settings) -> Shown:
    """Every row that readers see of the day: flows, alerts and actions."""
    return {
        table.full_name: warehouse.query_serving(
            settings, f"select * from {table.full_name} order by {', '.join(table.key)}"
        ).to_pylist()
        for table in FLOWS
    }


def waiting(settings: Settings) -> dict[str, int | None]:
    return {feed: connect(settings).waiting(feed) for feed in batches.FEEDS}


def test_a_day_from_the_broker_equals_the_day_from_files(
    bank: Settings, server: Server, landing: Path, by_files: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop reads in small steps, so that there are several micro-batches."""
    monkeypatch.setattr(protocol, "READ", 50)
    sent = replay(landing, D3, to_broker(connect(bank)), rate=0, seconds=1)
    assert waiting(bank) in (sent, UNSAID)
    intraday.run(bank, every=0, seconds=0)
    assert within_the_day(bank) == by_files
    status = intraday.read_status(bank)
    assert (status["events"], status["new_events"]) == (sum(sent.values()), sum(sent.values()))
    assert status["broker"] in ({"transactions": 0, "wallet_payments": 0}, UNSAID)
    intraday.run(bank, every=0, seconds=0)
    assert intraday.read_status(bank)["events"] == sum(sent.values()), "nothing is read twice"


@pytest.mark.parametrize("server", ["redis"], indirect=True)
def test_what_was_not_acknowledged_comes_again_and_counts_once(
    bank: Settings, server: Server, landing: Path, by_files: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop died after its events had landed and been taken in, and the server after that."""
    replay(landing, D3, to_broker(connect(bank)), rate=0, seconds=1)
    with monkeypatch.context() as patch:
        patch.setattr(redis.Redis, "xack", lambda *_: None)
        for feed in ("transactions", "wallet_payments"):
            assert connect(bank).land(feed) > 0
    intraday.run(bank.model_copy(update={"broker_url": SecretStr("")}), every=0, seconds=0)
    server.kill()
    server.start()
    counted_once(bank, by_files)


@pytest.mark.parametrize("server", ["kafka"], indirect=True)
def test_what_a_crash_kept_from_being_noted_comes_again_and_counts_once(
    bank: Settings, server: Server, landing: Path, by_files: Shown
) -> None:
    """A loop died after its events had landed, before it wrote where to go on."""
    replay(landing, D3, to_broker(connect(bank)), rate=0, seconds=1)
    intraday.run(bank, every=0, seconds=0)
    for offsets in (bank.lake / "intraday").glob("*/kafka_offsets.json"):
        offsets.unlink()
    counted_once(bank, by_files)


def counted_once(bank: Settings, by_files: Shown) -> None:
    intraday.run(bank, every=0, seconds=0)
    assert within_the_day(bank) == by_files
    status = intraday.read_status(bank)
    assert status["repeated_events"] == status["new_events"] > 0
    assert status["broker"] in ({"transactions": 0, "wallet_payments": 0}, UNSAID)


@pytest.mark.parametrize("server", ["kafka"], indirect=True)
def test_partitions_are_read_from_where_each_was_left(tmp_path: Path, server: Server) -> None:
    assert isinstance(server, KafkaServer)
    bank = Settings(lake=tmp_path / "lake", landing=tmp_path / "landing", broker_url=server.url)
    broker, topic = connect(bank), "intraday.wallet_payments"
    assert broker.land("wallet_payments") == 0, "a topic that is not there"
    producer = Producer({"bootstrap.servers": server.address})
    partitions = len(producer.list_topics(topic, timeout=5).topics[topic].partitions)
    for turn in range(1, 4):
        for partition in range(partitions):
            for number in range(partition + 1):
                producer.produce(topic, f"{turn} {partition} {number}".encode(), partition=partition)
        producer.flush(5)
        waiting = partitions * (partitions + 1) // 2
        assert connect(bank).waiting("wallet_payments") == waiting
        assert (broker if turn < 3 else connect(bank)).land("wallet_payments") == waiting
    files = batches.waiting(bank.landing, "wallet_payments")
    landed = sorted(line for path in files for line in gzip.decompress(path.read_bytes()).decode().splitlines())
    assert landed == sorted(f"{t} {p} {n}" for t in range(1, 4) for p in range(partitions) for n in range(p + 1))
    offsets = bank.lake / "intraday" / "wallet_payments" / "kafka_offsets.json"
    assert json.loads(offsets.read_text()) == {topic: {str(p): 3 * (p + 1) for p in range(partitions)}}


def test_a_message_that_is_no_event_is_kept_aside(bank: Settings, server: Server) -> None:
    good = '{"txn_id": "T", "account_no": "A", "direction": "D", "channel": "mobile", "txn_type": "transfer",\n'
    good += f'"amount": 7.01, "business_date": "{D3}", "txn_at": "{D3} 01:00:00", "event_at": "{D3} 01:00:01"}}'
    server.put("transactions", [b"not JSON", b"\xff", b"", None, good.encode()])
    intraday.run(bank, every=0, seconds=0)
    status = intraday.read_status(bank)
    assert (status["events"], status["refused_events"]) == (1, 4)
    aside = bank.lake / "quarantine" / "intraday" / "transactions" / "*.parquet"
    told = [text for (text,) in duckdb.sql(f"select _text from read_parquet('{aside}') order by _row").fetchall()]
    assert told[:2] == ["not JSON", "\\xff"]
    if isinstance(server, RedisServer):
        assert told[2:] == ['{"event": ""}', '{"other": "T1"}']
    else:
        place = {"partition": "0"}
        assert [json.loads(text) for text in told[2:]] == [place | {"offset": n, "key": "T1"} for n in ("2", "3")]


def test_a_broker_that_is_away_holds_up_no_file(
    bank: Settings,
    server: Server,
    landing: Path,
    by_files: Shown,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "TIMEOUT", 1.0)
    server.kill()
    replay(landing, D3, to_landing(bank.landing), rate=0, seconds=1)
    intraday.run(bank, every=0, seconds=0)
    assert within_the_day(bank) == by_files
    assert "broker, feed transactions: the broker cannot be reached: " in caplog.text
    assert intraday.read_status(bank)["broker"].startswith("away: ")
    (finding,) = (finding for finding in examine(bank) if finding.subject == "broker")
    assert not finding.is_fine
    server.start()
    (finding,) = (finding for finding in examine(bank) if finding.subject == "broker")
    assert finding.is_fine
