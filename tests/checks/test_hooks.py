"""Each check of `make check` fails on a planted violation, and says where and what."""

import re
import subprocess
from collections.abc import Iterable

import pytest
import yaml

from lakehouse.settings import PROJECT
from tests.checks.conftest import Plant

DOC = '"""Planted."""\n\n'
MODELS = "dbt_project/models"
SLOW = re.findall(r"^SLOW := (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)[0].split(",")


def lines_like(pattern: str, text: str) -> list[str]:
    """The lines of a check's output that match."""
    return [line for line in text.splitlines() if re.search(pattern, line)]


def every(patterns: Iterable[str], text: str) -> bool:
    """Whether each pattern has a line; a failed assertion shows both."""
    missing = [pattern for pattern in patterns if not lines_like(pattern, text)]
    assert not missing, f"{missing}\nis not in\n{text}"
    return True


def test_every_hook_has_a_planted_violation_here() -> None:
    hooks = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    tested = {"imports", "dbt-rules"} | set(PLANTED)
    assert {hook["id"] for hook in hooks} == tested


PLANTED = {
    "ruff": ("lakehouse/planted.py", DOC + "import os\n", "planted.py:3:8.*`os` imported but unused"),
    "ruff-format": ("lakehouse/planted.py", DOC + "PLANTED = { 'a' : 1 }\n", "planted.py"),
    "types": ("lakehouse/planted.py", DOC + 'PLANTED: int = "one"\n', "planted.py:3.*bad-assignment"),
    "sqlfluff": (f"{MODELS}/planted.sql", "SELECT a , b from c\n", "CP01"),
    "long-lines": ("docs/planted.md", "word " * 25 + "\n", "planted.md:1:word"),
    "yamllint": ("feeds/planted.yml", "a: 1\na: 2\n", "2:1 +error +duplication of key"),
    "typos": ("docs/planted.md", "We reci" + "eve files.\n", "should be `receive`"),
    "secrets": ("deploy/planted.env", "KEY=AKIA" + "Z7Q2WK5M3N4P6R8T\n", "AWS Access Key"),
}


@pytest.mark.parametrize("hook", PLANTED)
def test_a_hook_fails_on_a_planted_violation(plant: Plant, hook: str) -> None:
    name, text, message = PLANTED[hook]
    assert lines_like(message, plant(hook, {name: text}))


@pytest.mark.parametrize("hook", SLOW)
def test_every_file_passes_the_slow_hooks(hook: str) -> None:
    """`make test` runs the quick ones first; these take a minute, beside the other tests."""
    command = [".venv/bin/pre-commit", "run", hook, "--all-files"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_run_downwards_alone(plant: Plant) -> None:
    said = plant(
        "imports",
        {
            "lakehouse/planted.py": DOC + "def lazily() -> None:\n    from ml_jobs.scores import data\n",
            "expectations/planted.py": DOC + "import ml_jobs.task_file\n",
            "ml_jobs/learning/planted.py": DOC + "import ml_jobs.registry.model\n",
            "ml_jobs/planted.py": DOC,
            "c360/planted.py": DOC + "import simulator.bank\n",
        },
    )
    assert every(
        [
            "lakehouse.planted -> ml_jobs.scores.data",
            "expectations.planted -> ml_jobs.task_file",
            "ml_jobs.learning.planted -> ml_jobs.registry.model",
            "ml_jobs.planted",
            "c360.planted -> simulator.bank",
        ],
        said,
    )


def test_the_dbt_project_keeps_its_rules(plant: Plant) -> None:
    rules = "checks/dbt_rules.yml"
    exceptions = yaml.safe_load((PROJECT / rules).read_text())
    exceptions["exceptions"].setdefault("keys", {})["dim_account"] = "an exception that nothing needs"
    joined = ("customers", "accounts", "transactions", "balances", "holdings", "loans", "cards", "complaints")
    said = plant(
        "dbt-rules",
        {
            rules: yaml.safe_dump(exceptions),
            "dbt_project/tests/assert_planted.sql": "select 1 as a from {{ ref('dim_date') }}, {{ ref('dim_branch') }}",
            f"{MODELS}/staging/planted.sql": "select * from {{ ref('stg_branch__customers') }}",
            f"{MODELS}/intermediate/int_planted__source.sql": "select * from {{ source('raw', 'customers') }}",
            f"{MODELS}/intermediate/int_planted__mart.sql": "select * from {{ ref('dim_account') }}",
            f"{MODELS}/intermediate/int_planted__joined.sql": "select 1 as a from "
            + " cross join ".join(f"{{{{ ref('stg_branch__{name}') }}}}" for name in joined),
            f"{MODELS}/marts/planted_mart.sql": "{{ config(contract={'enforced': false}) }} select 1 as a",
            f"{MODELS}/marts/planted.yml": "models: [{name: planted_mart, description: A., columns: [{name: a}]}]",
        },
    )
    assert every(
        [
            "layers: planted reads stg_branch__customers: staging reads",
            "layers: int_planted__source reads customers: intermediate reads .* and not source",
            "layers: int_planted__mart reads dim_account: intermediate reads .* and not marts",
            "fan_in: int_planted__joined: reads 8 relations",
            "keys: planted_mart: ",
            "names: planted: ",
            "descriptions: int_planted__mart: the model has no description",
            r"descriptions: planted_mart\.a: the column has no description",
            "contracts: planted_mart: ",
            "tests: assert_planted: reads several models",
            "keys: dim_account: the exception is not needed",
        ],
        said,
    )
