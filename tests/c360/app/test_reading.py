"""What a page asks the store is of the publish in memory, or the page begins again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from threading import Timer
from time import monotonic, sleep
from typing import cast

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from c360.api.following import Current
from c360.api.resources import RESOURCES
from c360.api.snapshot import published_id
from c360.app.reading import MovedOn, Reading
from c360.app.server import add_moving_on
from lakehouse import warehouse
from lakehouse.settings import Settings
from tests.lakehouse.warehouse.built import Built

DAY = date(2026, 1, 2)
SUM = "select sum(amount) as amount from marts.facts"


@dataclass
class Number:
    """Of the publish that is in memory."""

    publish_id: int


class Following:
    """In place of what follows the publishes of a store: the publish in memory changes when the test says so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.adopt: Callable[[Number], bool] = lambda _: True
        self.renew()

    def renew(self) -> None:
        self.snapshot = Number(published_id(self._settings))

    def catch_up(self) -> None:
        seen = Number(published_id(self._settings))
        assert self.adopt(seen)
        self.snapshot = seen


@pytest.fixture
def publish(any_settings: Settings) -> Callable[[int], int]:
    """Publishes one row with an amount, and what the API serves, empty; returns the publish id."""
    built = Built(any_settings)
    for resource in RESOURCES:
        names = sorted({"customer_key", *resource.key})
        columns = ", ".join(f"cast(null as varchar) as {name}" for name in names)
        built.model(resource.table, f"select {columns} limit 0", described=dict.fromkeys(names, "What it is"))

    levels = ("schema_name", "table_name", "column_name", "security_level")
    columns = ", ".join(f"cast(null as varchar) as {name}" for name in levels)
    built.model("ops.column_levels", f"select {columns} limit 0", described=dict.fromkeys(levels, "What it is"))

    def publish(amount: int) -> int:
        rows = f"select date '{DAY}' as business_date, cast({amount} as bigint) as amount"
        described = dict.fromkeys(("business_date", "amount"), "What it is")
        built.model("marts.facts", rows, partition_by="business_date", described=described)
        return warehouse.publish(any_settings, DAY, f"run of {amount}")

    return publish


def amount(reading: Reading, publish_id: int) -> int:
    with reading.shown(publish_id) as shown:
        return shown.query(SUM, ()).to_pylist()[0]["amount"]


def test_a_block_that_is_open_stays_at_its_publish_and_the_next_one_is_of_the_same_or_none(
    any_settings: Settings, publish: Callable[[int], int]
) -> None:
    first = publish(1)
    following, ready = Following(any_settings), []
    reading = Reading(any_settings, cast("Current", following), lambda one: ready.append(one.publish_id))
    with reading.shown(first) as shown:
        before = shown.query(SUM, ()).to_pylist()
        second = publish(2)
        assert shown.query(SUM, ()).to_pylist() == before == [{"amount": 1}]
    assert not reading.caught_up()
    if any_settings.target == "postgres":
        with pytest.raises(MovedOn), reading.shown(first):
            pass
    else:
        assert amount(reading, first) == 1, "the file of the publish stays open"
    following.catch_up()
    assert reading.caught_up()
    assert ready == [first, second], "before anybody sees it"
    assert amount(reading, second) == 2
    with pytest.raises(MovedOn), reading.shown(second + 1):
        pass
    reading.close()


@pytest.mark.parametrize("any_settings", ["postgres"], indirect=True)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_that_was_begun_before_a_publish_is_shown_again_of_the_new_one(
    any_settings: Settings, publish: Callable[[int], int], method: str
) -> None:
    publish(1)
    following = Following(any_settings)
    reading = Reading(any_settings, cast("Current", following), lambda _: None)
    app, begun = FastAPI(), []
    add_moving_on(app, reading)

    @app.api_route("/page", methods=["GET", "POST"])
    async def page(request: Request) -> tuple[int, int, str, str]:
        begun.append(following.snapshot.publish_id)
        said = (await request.body()).decode()
        return begun[-1], amount(reading, begun[-1]), request.url.query, said

    second = publish(2)
    Timer(0.5, following.catch_up).start()
    with TestClient(app) as client:
        answer = client.request(method, "/page?a=1", content="form" if method == "POST" else None)
    assert [one.status_code for one in answer.history] == [307]
    assert answer.json() == [second, 2, "a=1", "form" if method == "POST" else ""]
    assert begun == [second - 1, second]


def amounts(day: date) -> dict[str, str]:
    """What the pages of this bank show."""
    return {"amounts": f"select '0' as whose, amount from marts.facts where business_date = date '{day}'"}


def test_what_pages_show_comes_with_the_publish_from_a_process_of_its_own(
    any_settings: Settings, publish: Callable[[int], int]
) -> None:
    first = publish(1)
    with Current(any_settings, amounts) as current:
        assert current.snapshot.publish_id == first
        assert current.snapshot.prepared.of("amounts", "0") == [{"amount": 1}]
        begun, second = current.snapshot, publish(2)
        deadline = monotonic() + 120
        while current.snapshot.publish_id != second and monotonic() < deadline:
            sleep(0.1)
        assert current.snapshot.publish_id == second
        assert current.snapshot.prepared.of("amounts", "0") == [{"amount": 2}]
        assert begun.prepared.of("amounts", "0") == [{"amount": 1}], "a page that was begun goes on with its own"
