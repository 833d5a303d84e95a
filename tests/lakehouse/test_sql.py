"""Quoting: the examples of the docstrings."""

import doctest

from lakehouse import sql


def test_the_examples_hold():
    outcome = doctest.testmod(sql)
    assert outcome.attempted == 2 and not outcome.failed
