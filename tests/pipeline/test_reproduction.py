"""Past publishes are built again from the lake alone, and have the content that readers saw."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from c360.reproduction import reproduce
from lakehouse import ingestion
from lakehouse.errors import Stop
from lakehouse.lake.publishes import read_publish, write_publish
from lakehouse.settings import Settings
from tests.conftest import parsed
from tests.pipeline.bank import copy_of
from tests.pipeline.conftest import D3, LAST_OF_HISTORY, Undisturbed


@pytest.mark.full  # each is a whole build
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("back", range(3))
def test_each_of_the_last_three_publishes_is_reproduced(day_by_day: Undisturbed, tmp_path: Path, back: int) -> None:
    """The last one with a delivery that a clerk took back after it: readers had seen it."""
    settings = parsed(copy_of(day_by_day.settings, tmp_path))
    last = read_publish(settings.lake)
    if not back:
        late = next(name for name in last.deliveries if name.startswith(f"transactions/{D3}"))
        ingestion.retract(settings, late, "a clerk", "sent by mistake")
    done = reproduce(settings, last.publish_id - back)
    assert len(done.tables) > 100
    assert [table.table for table in done.tables if not table.is_equal] == []
    assert sorted(path.name for path in settings.lake.parent.glob("reproduction-*")) == []


def test_what_cannot_be_reproduced_is_said(history: Settings, tmp_path: Path) -> None:
    settings = copy_of(history, tmp_path)
    record = read_publish(settings.lake)
    assert (record.business_date, record.target) == (LAST_OF_HISTORY, "duckdb")
    with pytest.raises(Stop, match=f"no record of publish 99: name one of {record.publish_id}"):
        reproduce(settings, 99)
    with pytest.raises(Stop, match=r"no table marts\.customers_360 .*did you mean marts\.customer_360"):
        reproduce(settings, table="marts.customers_360")
    with pytest.raises(Stop, match="the token secret was changed"):
        reproduce(settings.model_copy(update={"token_secret": SecretStr("another secret of thirty-two letters")}))
    lost = next(settings.lake.glob("raw/transactions/*/*.parquet"))
    lost.rename(lost.with_suffix(".away"))
    with pytest.raises(Stop, match=f"{lost.name} is not in the lake any more"):
        reproduce(settings)
    for field, value, reason in (("target", "postgres", "one of Postgres"), ("project", "x", "another version")):
        write_publish(settings.lake, record.__class__(**vars(record) | {field: value}))
        with pytest.raises(Stop, match=reason):
            reproduce(settings)
