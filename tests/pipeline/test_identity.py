"""A clerk joins two customers, and parts them again: every mart and score follows, by days as in a full refresh."""

import shutil
from pathlib import Path

import duckdb
import pytest

from c360 import pipeline
from c360.desk import comparison, decide, rehearse
from lakehouse import warehouse
from lakehouse.settings import Settings
from tests.lakehouse.ingestion.bank import Bank
from tests.pipeline.bank import content, copy_of, deliver
from tests.pipeline.conftest import D1, D2, D3, LAST_OF_HISTORY, Undisturbed


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
    records = "select list(party_key) from marts.dim_party where customer_key = ?"
    kept_by = {key: read(history, records, key)[0][0] for key in (one, other)}

    deliver(landing, tmp_path / "landing", D3)
    settings = copy_of(history, tmp_path, tmp_path / "landing")
    for day, decision in ((D1, "same"), (D3, "withdrawn")):
        row = {"decision_id": str(day), "business_date": str(day), "decision": decision}
        row |= {"left_party_key": one, "right_party_key": other}
        Bank(settings).deliver("identity_decisions", [row], period=str(day))

    rehearsed = rehearse(settings, one, other, "same")  # a month-end: its models score, and none is trained
    assert content(settings.warehouse) == content(history.warehouse)
    pipeline.run(settings, D1, D2)
    ((survivor, *merged),) = read(settings, monthly, LAST_OF_HISTORY, one, other)
    assert survivor in (one, other)
    (absorbed,) = {one, other} - {survivor}
    moves = {(move.party_key, move.before, move.after) for move in rehearsed.moves}
    assert moves == {(key, absorbed, survivor) for key in kept_by[absorbed]}
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


@pytest.mark.full
@pytest.mark.timeout(3600)  # two rehearsals and four runs
def test_a_rehearsal_equals_what_happens_and_undoing_restores_every_table(
    day_by_day: Undisturbed, tmp_path: Path
) -> None:
    (tmp_path / "landing").mkdir()
    settings = copy_of(day_by_day.settings, tmp_path, tmp_path / "landing")
    rich = "select customer_key from marts.customer_360 where party_type = 'P' order by aum_amount desc limit 2"
    merge = [key for (key,) in read(settings, rich)]
    split = read(
        settings,
        "select customer_key, party_key from marts.dim_party where customer_key like 'cif:%' "
        "and party_key like 'online:%' order by all limit 1",
    )[0]
    kept, state = tmp_path / "kept.duckdb", warehouse.built_state(settings)
    shutil.copyfile(settings.build, kept)
    for (left, right), kind in ((merge, "same"), (split, "different")):
        found = rehearse(settings, left, right, kind)
        assert found.moves
        assert found.changed
        assert content(settings.warehouse) == day_by_day.content  # nothing was changed by trying
        decide(settings, D3, left, right, kind, "S0001", "papers compared")
        pipeline.run(settings, D3, D3)
        now = warehouse.built_state(settings)
        xrefs = [settings.lake / one.identity for one in (state, now)]
        assert comparison.moves(*xrefs, D3) == found.moves
        mine, others = comparison.figures(kept, settings.build, D3, found.customers)
        assert mine == found.figures
        assert (len(others), others[: len(found.others)]) == (found.other_count, found.others)
        assert comparison.tables(kept, settings.build) == found.tables
        decide(settings, D3, left, right, "withdrawn", "S0001", "the other file")
        pipeline.run(settings, D3, D3)
        assert content(settings.warehouse) == day_by_day.content
