"""``make bench-api``: a minute of requests for one customer each, on a published bank, while it is published again.

The server has one core to itself, and the clients and the publishing share the others: of two, each has one.
"""

import asyncio
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx
import typer

from c360.access import SCOPES, add_token
from lakehouse import warehouse
from lakehouse.settings import Settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
PATHS = ("/customers/{}", "/customers/{}/scores", "/customers/{}/reasons", "/customers/{}/worklist")
P99_GOAL_MS, RATE_GOAL = 20.0, 200.0
PUBLISH = """
import sys, time
from datetime import date
from c360 import pipeline
from lakehouse.settings import Settings
settings, day, end = Settings.from_env(), date.fromisoformat(sys.argv[1]), time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    pipeline.publish_ops(settings, day, "api bench")
"""


@app.command()
def main(
    seconds: Annotated[int, typer.Option(min=1, help="How long to ask.")] = 60,
    rate: Annotated[float, typer.Option(min=1, help="Requests a second.")] = RATE_GOAL,
    publishes: Annotated[bool, typer.Option(help="Publish again and again meanwhile.")] = True,
) -> None:
    """Ask the store that C360_WAREHOUSE names, at a steady rate, and print what the answers took."""
    settings = Settings.from_env()
    keys = warehouse.query_serving(settings, "select customer_key from marts.customer_360 order by 1").to_pylist()
    day = warehouse.last_published(settings)
    with TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens.json"
        token = add_token(tokens, "bench", SCOPES, date(9999, 1, 1))
        with served(settings, tokens) as base:
            first, *others = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, others or {first})
            publisher = _publishing(settings, day, seconds) if publishes else None
            took, failed, seen = asyncio.run(
                _ask(f"{base}/api/v1", token, [row["customer_key"] for row in keys], rate, seconds)
            )
            count = publisher.wait() if publisher else 0
    cuts = quantiles(took, n=100, method="inclusive")
    print(f"{len(keys)} customers; {len(took) / seconds:.0f} answers a second for {seconds} s, {failed} failed")
    print(f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, longest {max(took):.1f} ms; publishes seen {len(seen)}")
    if count or failed or cuts[98] >= P99_GOAL_MS or len(took) / seconds < 0.99 * rate:
        raise typer.Exit(1)


@contextmanager
def served(settings: Settings, tokens: Path, group: str = "api", is_alone: bool = True) -> Generator[str]:
    """The API of a store, without a limit of its rate, on the first core alone; yields its address.

    Parameters
    ----------
    group : str
        ``api``, or ``app`` for the workbench.
    is_alone : bool
        Whether it has the first core, and no other; else the machine's cores are for all.
    """
    environment = os.environ | settings.environment()
    environment |= {"C360_API_TOKENS": str(tokens), "C360_API_RATE": "1000000/minute"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "c360", group, "serve", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    if is_alone:
        os.sched_setaffinity(server.pid, {min(os.sched_getaffinity(0))})
    try:
        _wait_for(base := f"http://127.0.0.1:{port}")
        yield base
    finally:
        server.terminate()
        server.wait()


def _wait_for(base: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            httpx.get(f"{base}/health").raise_for_status()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _publishing(settings: Settings, day: date, seconds: int) -> subprocess.Popen[bytes]:
    """A process that publishes for so long; it yields to the clients, whose waiting would else be measured."""
    command = ["nice", "-n", "15", sys.executable, "-c", PUBLISH, str(day), str(seconds)]
    return subprocess.Popen(command, env=os.environ | settings.environment(), stdout=subprocess.DEVNULL)


async def _ask(base: str, token: str, keys: list[str], rate: float, seconds: int) -> tuple[list[float], int, set[str]]:
    """Milliseconds from when each request was due, so that one who waits counts; failures; tags of publishes."""
    took, seen, failed = [], set(), 0
    draws = random.Random(1)

    async def once(client: httpx.AsyncClient, due: float) -> None:
        nonlocal failed
        try:
            answer = await client.get(base + draws.choice(PATHS).format(draws.choice(keys)))
        except httpx.TransportError:
            failed += 1
            return
        took.append(1000 * (time.perf_counter() - due))
        failed += answer.status_code != 200
        seen.add(answer.headers.get("etag", ""))

    limits = httpx.Limits(max_connections=32)
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, limits=limits, timeout=30) as client:
        began = time.perf_counter()
        asked = []
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.create_task(once(client, due)))
        await asyncio.gather(*asked)
    return took, failed, seen


if __name__ == "__main__":
    app()
