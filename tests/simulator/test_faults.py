"""The planted faults are in the files, each of the kind and in the row that the truth names."""

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lakehouse.errors import Stop
from simulator import generate


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict]]:
    folder = tmp_path_factory.mktemp("faulty")
    summary = generate(1500, 1, 5, folder, days=2, faults=True)
    planted = pq.read_table(folder / "truth" / "faults.parquet").to_pylist()
    assert summary.faults == len(planted)
    return folder / "landing", planted


def test_bad_rows_are_where_the_truth_says(faulty: tuple[Path, list[dict]]) -> None:
    landing, planted = faulty
    rows = [fault for fault in planted if not fault["whole_file"]]
    assert {fault["reason"] for fault in rows} > {"invalid_type", "missing_value", "not_allowed", "duplicate_key"}
    assert {(fault["feed"], fault["period"]) for fault in rows} == {("transactions", "2024-02-02")}
    lines = (landing / "transactions" / rows[0]["file"]).read_text().splitlines()
    manifest = json.loads((landing / "transactions" / "transactions_2024-02-02_v1.manifest.json").read_text())
    assert manifest["row_count"] == len(lines) - 1
    names = lines[0].split("|")
    for fault in rows:
        fields = lines[fault["row"] - 1].split("|")
        value = fields[names.index(fault["column_name"])] if fault["column_name"] else None
        match fault["reason"], fault["column_name"]:
            case "duplicate_key", _:
                assert Counter(lines)[lines[fault["row"] - 1]] == 2
            case "missing_value", _:
                assert value == ""
            case "not_allowed", _:
                assert value not in ("C", "D")
            case "out_of_range", _:
                assert float(value) < 0
            case "wrong_column_count", None:
                assert len(fields) != len(names)
            case "invalid_type", "amount":
                with pytest.raises(ValueError, match="could not convert"):
                    float(value)
            case other:
                assert other == ("invalid_type", "business_date")
                assert value == "2024-13-45"


def test_the_event_file_breaks_off(faulty: tuple[Path, list[dict]]) -> None:
    landing, planted = faulty
    (broken,) = [fault for fault in planted if fault["whole_file"]]
    path = landing / broken["feed"] / broken["file"]
    manifest = json.loads(path.with_name("app_events_2024-02-02_v1.manifest.json").read_text())
    (file,) = manifest["files"]
    assert path.stat().st_size < file["bytes"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() != file["sha256"]
    with pytest.raises(EOFError), gzip.open(path) as stream:
        stream.read()


def test_faults_need_a_day() -> None:
    with pytest.raises(Stop, match="give days"):
        generate(10, 1, 1, Path("nowhere"), faults=True)
