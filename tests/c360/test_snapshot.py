"""The rows of a publish in memory: what is found is what a search through all of them finds, on a copy by file, too."""

import random
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from c360.api import snapshot
from c360.api.prepared import prepare
from c360.api.resources import RESOURCES
from c360.api.snapshot import Snapshot
from lakehouse.settings import Settings
from lakehouse.warehouse.stores import Shown

DAY = date(2026, 3, 1)
OWNERS = ["c1", "c10", "é", "c2", None, "z", "号"]
PART = [{"whose": owner, "place": place} for place, owner in enumerate(random.Random(7).choices(OWNERS, k=80))]


def made_up(name: str, draws: random.Random, count: int) -> pa.Table:
    """Rows of the resource in any order, customers repeated; a few are nobody's where a key allows that."""
    resource = next(one for one in RESOURCES if one.name == name)
    keys: set[tuple] = set()
    while len(keys) < count:
        keys.add(
            tuple(
                draws.randrange(9) if "rank" in k or k == "place" else f"é{draws.randrange(99)}" for k in resource.key
            )
        )
    rows = [dict(zip(resource.key, key, strict=True)) for key in draws.sample(sorted(keys), count)]
    for row in rows:
        row.setdefault("customer_key", draws.choice(["c1", "c2", "c3", None]))
        row |= {column: draws.choice(["x", "y", None]) for column in resource.filters if column not in row}
    return pa.Table.from_pylist(rows)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> dict[str, pa.Table]:
    draws = random.Random(5)
    made = {
        one.name: made_up(one.name, draws, 0 if one.name == "changes" else 60) for one in RESOURCES[:1] + RESOURCES[2:]
    }
    made["changes"] = made["scores"].slice(0, 0).append_column("change_rank", pa.array([], pa.int64()))
    monkeypatch.setattr(
        snapshot,
        "read_store",
        lambda *_: (7, DAY, {one.name: snapshot.in_order(one, made[one.name]) for one in RESOURCES}, prepared()),
    )
    return made


def prepared() -> dict[str, pa.Table]:
    """What `prepare` makes of the answers to two statements."""
    answers = {"a.part": pa.Table.from_pylist(PART), "a.whole": pa.table({"n": [3, 1, 2]})}
    shown = Shown(7, DAY, [], lambda _: pa.table({}), lambda sql, _: answers[sql])
    return prepare(shown, lambda day: {name: name for name in answers if day == DAY})


def test_a_search_finds_what_all_rows_say(settings: Settings, tmp_path: Path, tables: dict[str, pa.Table]) -> None:
    assert snapshot.write_store(settings, tmp_path) == 7
    copied = Snapshot.of_folder(tmp_path)
    for path in tmp_path.iterdir():
        path.unlink()
    for shown in (Snapshot.of_store(settings), copied):
        assert (shown.publish_id, shown.business_date) == (7, DAY)
        for resource in RESOURCES:
            _compare(shown, resource, tables[resource.name])
        for owner in [*filter(None, OWNERS), "nobody", ""]:
            expected = [{"place": row["place"]} for row in PART if row["whose"] == owner]
            assert shown.prepared.of("a.part", owner) == expected, "in the order of the statement"
        assert shown.prepared.rows("a.whole") == [{"n": 3}, {"n": 1}, {"n": 2}]


def _compare(shown: Snapshot, resource: snapshot.Resource, table: pa.Table) -> None:
    draws = random.Random(3)
    fields = table.column_names
    rows = sorted(table.to_pylist(), key=lambda row: tuple(row[name] for name in resource.key))
    assert shown.rows(resource, {}, fields) == rows
    for _ in range(60):
        names = draws.sample(["customer_key", *resource.filters], draws.randrange(3))
        fixed = {name: draws.choice(rows)[name] if rows else "x" for name in names if name in fields}
        fixed = {name: value for name, value in fixed.items() if value is not None}
        after = [draws.choice(rows)[name] for name in resource.key] if rows and draws.random() < 0.5 else None
        limit = draws.choice([None, 1, 5])
        expected = [
            row
            for row in rows
            if all(row[name] == value for name, value in fixed.items())
            and (after is None or [row[name] for name in resource.key] > after)
        ]
        assert shown.rows(resource, fixed, fields, after, limit) == expected[:limit]
    assert not shown.has(resource, "nobody")
    assert shown.rows(resource, {"customer_key": "nobody"}, fields) == []
    if rows:
        with pytest.raises(TypeError):
            shown.rows(resource, {}, fields, len(resource.key) * [None])
