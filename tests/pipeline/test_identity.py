"""A clerk joins two customers, and parts them again: every mart and score follows, by days as in a full refresh."""

from pathlib import Path

import duckdb
import pytest

from c360 import pipeline
from lakehouse import warehouse
from lakehouse.settings import Settings
from tests.lakehouse.ingestion.bank import Bank
from tests.pipeline.bank import content, copy_of, deliver
from tests.pipeline.conftest import D1, D2, D3, LAST_OF_HISTORY


def read(settings: Settings, query: str, *parameters: object) -> list[tuple]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(query, list(parameters)).fetchall()


@pytest.mark.full
@pytest.mark.timeout(2400)  # four business dates and a full refresh
def test_a_merge_moves_all_history_and_a_split_restores_it(landing: Path, history: Settings, tmp_path: Path) -> None:
    monthly = (
        "select customer_key, deposit_amount, investment_amount from marts.customer_360_monthly "
        "where as_of_date = ? and customer_key in (?, ?) order by 1"
    )
    rich = "select customer_key from marts.customer_360 where party_type = 'P' order by aum_amount desc limit 2"
    one, other = (key for (key,) in read(history, rich))
    before = read(history, monthly, LAST_OF_HISTORY, one, other)
    assert len(before) == 2

    deliver(landing, tmp_path / "landing", D3)
    settings = copy_of(history, tmp_path, tmp_path / "landing")
    for day, decision in ((D1, "same"), (D3, "withdrawn")):
        row = {"decision_id": str(day), "business_date": str(day), "decision": decision}
        row |= {"left_party_key": one, "right_party_key": other}
        Bank(settings).deliver("identity_decisions", [row], period=str(day))

    pipeline.run(settings, D1, D2)
    ((survivor, *merged),) = read(settings, monthly, LAST_OF_HISTORY, one, other)
    assert survivor in (one, other)
    assert merged == [sum(amounts) for amounts in zip(*(row[1:] for row in before), strict=True)]
    assert read(settings, "select customer_key from marts.customer_360 where customer_key in (?, ?)", one, other) == [
        (survivor,)
    ]
    owners = "select distinct customer_key from marts.dim_account where party_key in (?, ?)"
    assert read(settings, owners, one, other) == [(survivor,)]
    scored = (
        "select as_of_date, count(*) from scores.churn where customer_key in (?, ?) and as_of_date >= ? group by all"
    )
    assert sorted(read(settings, scored, one, other, LAST_OF_HISTORY)) == [(LAST_OF_HISTORY, 2), (D1, 1), (D2, 1)]

    pipeline.run(settings, D3, D3)
    assert read(settings, monthly, LAST_OF_HISTORY, one, other) == before
    assert len(read(settings, owners, one, other)) == 2
    by_day = content(settings.warehouse)
    warehouse.drop_build(settings)
    pipeline.run(settings, D3, D3)
    assert content(settings.warehouse) == by_day
