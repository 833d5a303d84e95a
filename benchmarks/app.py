"""``make bench-app``: ten people of several roles in the workbench for a minute, while a day is published.

On a copy of the store that the settings name. Before each publish its number is written into texts that pages show,
some from the tables in memory and some by queries: a page with two numbers is a mixed one. There must be none, no
error, and the slowest hundredth of each page below 300 ms.
"""

import os
import random
import re
import threading
import time
from dataclasses import dataclass
from datetime import date
from multiprocessing import Queue, get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx
import psutil
import typer

from benchmarks.api import served
from benchmarks.readers import Publisher, Readings, copied
from c360.access import add_person, load_roles
from c360.app.workbench import NAVIGATION
from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
P99_GOAL_MS = 300.0
NUMBER = re.compile(r"publish-(\d+)-")
MARKS = {  # of texts that the pages show
    "actions.worklist": "reason_en = 'publish-{number}-'",  # from memory
    "scores.customer_scores": "reason_en = 'publish-{number}-'",  # by queries
    "marts.customer_changes": "sentence_en = 'publish-{number}-'",
    "marts.dim_product": "product_name = 'publish-{number}-'",
}
ROLES = ("branch_manager", "relationship_manager", "branch_reader", "call_centre", "risk_officer", "auditor")
PEOPLE = 10
LINK = re.compile(r'href="(/customers/[^"]+)"')


@dataclass(frozen=True)
class Person:
    """One who signs in."""

    name: str
    role: str
    token: str


@app.command()
def main(
    seconds: Annotated[int, typer.Option(min=1, help="How long people look.")] = 60,
    pause: Annotated[float, typer.Option(min=0, help="Seconds for which a page is looked at, on average.")] = 1.0,
) -> None:
    """Let ten people look at all of the pages that they may see, and print what they took."""
    origin = Settings.from_env()
    with TemporaryDirectory(prefix="c360-") as folder, copied(origin, "duckdb", Path(folder)) as settings:
        day = warehouse.last_published(origin)
        first = Publisher.of(origin, settings, day, MARKS).publish()
        tokens = Path(folder) / "tokens.json"
        people = _people(settings, tokens)
        context = get_context("spawn")
        results: Queue[int | str] = context.Queue()
        over = context.Event()
        with served(settings, tokens, "app", is_alone=False) as base:
            publishing = context.Process(target=_publish, args=(origin, settings, day, over, results))
            publishing.start()
            before = _worked(base)
            readings = look(base, people, seconds, pause)
            worked = _worked(base) - before
            over.set()
            count = results.get()
    if isinstance(count, str):
        raise Stop(f"publishing failed: {count}")
    _print(readings, seconds, first, count)
    pages = sum(len(one.took) for one in readings.values())
    print(f"the server: {1000 * worked / pages:.0f} ms of processor time a page, load {os.getloadavg()[0]:.0f}")
    if any(one.mixed or one.errors or one.cuts()[1] >= P99_GOAL_MS for one in readings.values()):
        raise typer.Exit(1)
    if len(set().union(*(one.seen for one in readings.values()))) < 2:
        raise Stop("nobody saw a second publish", "let them look for longer: --seconds")


def numbers_of(text: str) -> set[int]:
    """The publishes whose texts a page shows: one, or none where it has none of them."""
    return {int(number) for number in NUMBER.findall(text)}


def look(base: str, people: list[Person], seconds: float, pause: float) -> dict[str, Readings]:
    """All of them at once, each going from page to page; page -> what was seen."""
    readings = {name: Readings() for name in ("start", "customer", *(name for name, _ in NAVIGATION))}
    end = time.monotonic() + seconds

    def work(person: Person) -> None:
        draws, keys = random.Random(person.name), []
        with httpx.Client(base_url=base, timeout=60) as client:
            client.post("/sign-in", data={"name": person.name, "token": person.token})
            pages = ["start", *(name for name, scope in NAVIGATION if load_roles()[person.role].may >= {scope})]
            goes_on = True
            while goes_on:
                for page in pages + ["customer"] * 3:
                    time.sleep(draws.uniform(0, 2 * pause))
                    if page == "customer" and not keys:
                        continue
                    path = {"start": "/", "customer": draws.choice(keys or [""])}.get(page, f"/{page}")
                    keys = _links(_ask(client, readings[page], path)) or keys
                goes_on = time.monotonic() < end

    threads = [threading.Thread(target=work, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return readings


def _links(text: str) -> list[str]:
    """Customers that a page leads to."""
    return sorted(set(LINK.findall(text)))


def _ask(client: httpx.Client, readings: Readings, path: str) -> str:
    began = time.perf_counter()
    try:
        answer = client.get(path)
    except httpx.TransportError as error:
        readings.errors.append(f"{type(error).__name__}: {error}"[:300])
        return ""
    if answer.status_code != 200:
        readings.errors.append(f"{answer.status_code} for a page of {path.split('/')[1] or 'start'}")
        return ""
    readings.add(began, numbers_of(answer.text))
    return answer.text


def _people(settings: Settings, tokens: Path) -> list[Person]:
    """Ten of all roles that have pages of customers, of the branches and managers with the most to do."""
    places = warehouse.query_serving(
        settings,
        "select branch_code, rm_id from actions.worklist where branch_code is not null and rm_id is not null "
        "and is_handed_out group by 1, 2 order by count(*) desc, 1, 2 limit 10",
    ).to_pylist()
    people = []
    for number in range(PEOPLE):
        role, place = ROLES[number % len(ROLES)], places[number % len(places)]
        sees = load_roles()[role].sees
        branch = place["branch_code"] if sees == "branch" else None
        manager = place["rm_id"] if sees == "own" else None
        name = f"S{number:04}"
        token = add_person(tokens, name, role, date(9999, 1, 1), branch, manager)
        people.append(Person(name, role, token))
    return people


def _publish(origin: Settings, settings: Settings, day: date, over: Event, results: "Queue[int | str]") -> None:
    """A process of its own, which yields to who waits for a page, as a run of the night's would be made to."""
    os.nice(15)
    count = 0
    try:
        publisher = Publisher.of(origin, settings, day, MARKS)
        while not over.is_set():
            publisher.publish()
            count += 1
    except Exception as error:  # whatever it was is said where it is read
        results.put(f"{type(error).__name__}: {error}")
        raise
    results.put(count)


def _worked(base: str) -> float:
    """Seconds of processor time that the server at an address has taken; the process beside it is another."""
    port = base.rpartition(":")[2]
    (server,) = (one for one in psutil.Process().children() if port in one.cmdline())
    taken = server.cpu_times()
    return taken.user + taken.system


def _print(readings: dict[str, Readings], seconds: int, first: int, count: int) -> None:
    total = sum(len(one.took) for one in readings.values())
    print(f"{PEOPLE} people, {total} pages in {seconds} s, {count} publishes after publish {first}")
    for name, one in sorted(readings.items()):
        median, slow = one.cuts()
        print(
            f"{name}: {len(one.took)} pages of {len(one.seen)} publishes, {one.mixed} mixed, {len(one.errors)} errors; "
            f"p50 {median:.0f} ms, p99 {slow:.0f} ms, longest {max(one.took, default=0):.0f} ms"
        )
        for error in sorted(set(one.errors))[:3]:
            print(f"  {error}")


if __name__ == "__main__":
    app()
