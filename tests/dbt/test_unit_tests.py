"""The unit tests beside the models: they judge the code, so a run leaves them out and `make test` has them."""

import json

from tests.dbt import story
from tests.dbt.bank import LAYERS, Bank, run_dbt


def test_unit_tests_of_the_marts(full_bank: Bank) -> None:
    variables = {"business_date": story.DAYS[-1][0], "from_date": story.FIRST_DATE}
    selected = [f"{layer},test_type:unit" for layer in LAYERS if layer.endswith(("marts", "intermediate"))]
    run_dbt(full_bank.connection, full_bank.folder, variables, "test", "--select", *selected)
    results = json.loads((full_bank.folder / "target" / "run_results.json").read_text())["results"]
    assert len(results) >= 7
    assert {result["status"] for result in results} == {"pass"}
