"""Examples in docstrings run, and give what they say."""

import doctest
from importlib import import_module
from pkgutil import walk_packages

import pytest

import ml_jobs

EXAMPLES = {
    module.name: tests
    for module in walk_packages(ml_jobs.__path__, "ml_jobs.")
    if (tests := [test for test in doctest.DocTestFinder().find(import_module(module.name)) if test.examples])
}


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_give_what_they_say(module: str) -> None:
    for test in EXAMPLES[module]:
        assert doctest.DocTestRunner().run(test).failed == 0, test.name


def test_metrics_and_drift_and_survival_have_examples() -> None:
    assert {f"ml_jobs.learning.{name}" for name in ("metrics", "drift", "survival")} < EXAMPLES.keys()
