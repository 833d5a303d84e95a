"""The unit tests beside the models: they judge the code, so a run leaves them out and `make test` has them."""

import json
import shutil
from pathlib import Path

from lakehouse.settings import Settings
from tests.dbt.bank import run_dbt
from tests.pipeline.conftest import LAST_OF_HISTORY


def test_every_unit_test_of_the_models_holds(history: Settings, tmp_path: Path) -> None:
    engine = shutil.copyfile(history.build, tmp_path / "build.duckdb")  # they ask it for the columns of their inputs
    connection = {"C360_TARGET": "duckdb", "C360_BUILD": str(engine)}
    today = str(LAST_OF_HISTORY)
    variables = {"business_date": today, "from_date": today, "as_of_dates": [today]}
    run_dbt(connection, tmp_path, variables, "test", "--select", "test_type:unit")
    results = json.loads((tmp_path / "target" / "run_results.json").read_text())["results"]
    assert len(results) >= 19
    assert {result["status"] for result in results} == {"pass"}
