"""A collector, and a small bank of which one customer is a canary in a right row and in refused ones."""

from collections.abc import Iterator

import pytest

from c360.telemetry import metrics
from lakehouse.settings import Settings
from tests.c360.telemetry.collector import Collected, Collector
from tests.lakehouse.ingestion.bank import CUSTOMER, Bank

CANARY = {
    "name": "欧阳卡娜丽",
    "id_no": "310101199001011234",
    "phone": "19912345670",
    "email": "kanali.ouyang@canary.cn",
    "address": "上海市江北区金丝雀路1号7栋",
}


@pytest.fixture(scope="session")
def server() -> Iterator[tuple[Collected, str]]:
    collected = Collected()
    with Collector(collected) as url:
        yield collected, url


@pytest.fixture
def collector(server: tuple[Collected, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Collected]:
    """It has nothing yet, and the environment names it."""
    collected, url = server
    collected.requests.clear()
    collected.asked, collected.status = 0, 200
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", url)
    monkeypatch.setattr(metrics, "COLLECTOR", metrics.Collector())
    yield collected
    collected.answers.set()


@pytest.fixture
def bank(settings: Settings) -> Bank:
    """A delivery with two rows that are right, and one refused for each of the canary's values."""
    bank = Bank(settings)
    misplaced = [{"birth_date": value} for value in CANARY.values()]
    rows = [CUSTOMER, *({**CUSTOMER, "customer_no": f"C{n}", **row} for n, row in enumerate([CANARY, *misplaced], 2))]
    bank.deliver("customers", rows)
    return bank
