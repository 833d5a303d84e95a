"""Steps of runs as OpenLineage events, by the real client, to a file."""

import json
from pathlib import Path

import pytest

from c360 import openlineage
from c360.steps import step
from lakehouse.lake.runs import read_records
from lakehouse.settings import Settings
from tests.pipeline.bank import copy_of
from tests.pipeline.conftest import LAST_OF_HISTORY
from tests.pipeline.test_lineage import TRUTH


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "events.jsonl"
    for name, value in (("TYPE", "file"), ("LOG_FILE_PATH", str(file)), ("APPEND", "true")):
        monkeypatch.setenv(f"OPENLINEAGE__TRANSPORT__{name}", value)
    return file


def read(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines() if line]


def test_serving_tells_which_columns_of_feeds_every_published_column_derives_from(
    history: Settings, told: Path
) -> None:
    (run_id,) = {record["run_id"] for record in read_records(history.lake) if record["step"] == "serve"}
    openlineage.tell(history, run_id, "serve")
    start, end = read(told)
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"] and end["job"] == start["job"]
    assert {"transactions", "customers"} <= {dataset["name"] for dataset in end["inputs"]}
    shown = {
        f"{dataset['name']}.{column}": sorted(f"{origin['name']}.{origin['field']}" for origin in of["inputFields"])
        for dataset in end["outputs"]
        for column, of in dataset["facets"]["columnLineage"]["fields"].items()
    }
    known = {column: origins for column, origins in TRUTH.items() if column.startswith("marts.")}
    feeds = {dataset["name"] for dataset in end["inputs"]}
    assert len(known) > 20
    for column, origins in known.items():
        assert shown[column] == sorted(origin for origin in origins if origin.split(".")[0] in feeds), column
    rows = {dataset["name"]: dataset["outputFacets"]["outputStatistics"].get("rowCount") for dataset in end["outputs"]}
    assert rows["marts.customer_360"] > 100


def test_a_step_that_fails_is_told_and_a_catalogue_that_is_away_stops_nothing(
    history: Settings, tmp_path: Path, told: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = copy_of(history, tmp_path / "bank")
    with pytest.raises(ValueError, match="lost"), step(settings, "by hand", "score", LAST_OF_HISTORY):
        raise ValueError("lost")
    _, end = read(told)
    assert end["eventType"] == "FAIL"
    assert end["run"]["facets"]["nominalTime"]["nominalStartTime"].startswith(str(LAST_OF_HISTORY))
    assert "lost" in end["run"]["facets"]["errorMessage"]["message"]
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(tmp_path / "no" / "folder" / "events"))
    with step(settings, "by hand", "network", LAST_OF_HISTORY):
        pass
    assert "OpenLineage: step network of run by hand is not told" in caplog.text
