"""The words of reasons: every feature of every task file, both directions, both languages."""

import csv
import re

import pytest
import yaml

from lakehouse.settings import PROJECT
from ml_jobs import dbt_tasks
from ml_jobs.task_file import load_tasks, said_by

KEYS = {"customer_key", "as_of_date"}


def phrases() -> dict[str, dict[str, str]]:
    with (PROJECT / "dbt_project" / "seeds" / "reason_phrases.csv").open(encoding="utf-8") as file:
        return {line["reason_code"]: line for line in csv.DictReader(file)}


def features() -> set[str]:
    """The columns of the feature tables that task files name, but for what they exclude and what says a feature."""
    path = PROJECT / "dbt_project" / "models" / "features" / "_features__models.yml"
    columns = {
        f"features.{model['name']}": {column["name"] for column in model["columns"]}
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    }
    tasks = load_tasks().values()
    return {
        name
        for task in tasks
        for name in columns[task.table] - KEYS - task.exclude.keys() - set(said_by().values())
        if task.features is None or name in task.features
    }


def test_every_feature_of_every_task_file_has_its_sentences():
    assert features() <= phrases().keys()


@pytest.mark.parametrize("code", sorted(phrases()))
def test_a_feature_says_high_and_low_in_both_languages(code):
    line = phrases()[code]
    for language, alphabet in (("en", r"[a-z]"), ("zh", r"[\u4e00-\u9fff]")):
        high, low = (line[f"{direction}_{language}"] for direction in ("high", "low"))
        assert re.search(alphabet, high) and re.search(alphabet, low)
        beginnings = [text.split("{")[0] for text in (high, low)]
        assert not beginnings[0].startswith(beginnings[1]) and not beginnings[1].startswith(beginnings[0])
        for text in (high, low):
            assert set(re.findall(r"{.*?}", text)) <= {"{value}", "{on}"}
            assert ("{value}" in text) == (line["unit"] != "yes_no")
            has_event = line["dated_by"] in ("value", "complaint", "complaint_visit")
            assert ("{on}" in text) == has_event
        assert language == "zh" or not re.search(r"\b(he|his|him|she|her)\b", f"{high} {low}")


def test_every_share_of_payments_says_the_share_over_the_usual():
    """A share of payments moves for everybody; a model that learns from it takes the drift for a change of risk."""
    assert said_by().keys() <= features()
    divided = {code for code in phrases() if re.fullmatch(r".+(_outflow_rate|_outflow_share|_txn_share)_\d+d", code)}
    assert divided - {"largest_outflow_rate_90d"} == set(said_by().values())


def test_what_borrowers_and_complainants_hear_carries_a_date():
    about = r"complaint|complain\b|instalment|past_due|arrears|loan|card_(limit|utilisation)|remaining_term"
    undated = {code for code, line in phrases().items() if re.search(about, code) and not line["dated_by"]}
    assert undated <= {"is_interested_in_loans"}
    assert load_tasks()["credit_warning"].dated_reasons


def described() -> dict[str, str]:
    """What the features' table says of each column."""
    path = PROJECT / "dbt_project" / "models" / "features" / "_features__models.yml"
    models = {model["name"]: model for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]}
    return {column["name"]: column["description"] for column in models["customer_features"]["columns"]}


def test_a_star_tier_by_average_assets_is_not_called_the_customers_own():
    """Contribution and grace keep a tier that assets do not: the page shows that one beside the sentence."""
    about = {code for code, text in described().items() if "tier" in code and "average" in text}
    assert about == {"star_tier", "previous_star_tier", "next_tier_gap_rate", "lower_tier_margin_rate"}
    for code in about:
        for direction in ("high", "low"):
            assert "average assets" in phrases()[code][f"{direction}_en"]
            assert "日均资产" in phrases()[code][f"{direction}_zh"]


def test_an_instalment_that_is_still_unpaid_is_not_said_to_be_paid():
    late = {code for code, text in described().items() if "instalment" in code and "late" in text}
    assert late == {"late_instalment_count", "late_instalment_rate"}
    for code in late:
        for direction in ("high", "low"):
            assert "late now" in phrases()[code][f"{direction}_en"]
            assert "逾期未还" in phrases()[code][f"{direction}_zh"]
    planned = {code for code, text in described().items() if "onthly instalments over" in text}
    assert planned == {"instalment_burden_rate", "instalment_to_inflow_rate_90d"}
    assert not [code for code in planned if "goes to" in phrases()[code]["high_en"] + phrases()[code]["low_en"]]


def test_the_day_of_the_month_and_the_age_of_records_are_no_reasons():
    silent = {code for code, line in phrases().items() if line["is_reason"] == "false"}
    assert {"mean_salary_day_180d", "tenure_days", "age_years", "lead_cost_amount"} <= silent


def test_dbt_knows_the_scores_of_the_task_files():
    for path, text in dbt_tasks.written().items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run python -m ml_jobs.dbt_tasks"


def test_customer_360_shows_every_score_of_the_task_files():
    path = PROJECT / "dbt_project" / "models" / "marts" / "customer" / "_customer__models.yml"
    models = {model["name"]: model for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]}
    columns = {column["name"] for column in models["customer_360"]["columns"]}
    for name, task in load_tasks().items():
        measure = "uplift" if task.treatment else "probability"
        assert {f"{name}_{measure}", f"{name}_band"} <= columns
