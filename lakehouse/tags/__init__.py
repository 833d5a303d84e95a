"""Tags: groups of customers that people define by conditions on published columns.

A definition (`definition`) names columns that are published (`columns`) and becomes SQL (`rendering`), by which its
customers are counted (`counting`); a version of it, or its retirement, is handed in as a delivery (`changes`). What
counts on a day, and who has it, dbt says.
"""

from lakehouse.tags.changes import Handed, handed_in, retire, save
from lakehouse.tags.counting import Preview, count
from lakehouse.tags.definition import Condition, Definition, condition_of, condition_words
from lakehouse.tags.reading import versions
from lakehouse.tags.rendering import Rendered, variables

__all__ = [
    "Condition",
    "Definition",
    "Handed",
    "Preview",
    "Rendered",
    "condition_of",
    "condition_words",
    "count",
    "handed_in",
    "retire",
    "save",
    "variables",
    "versions",
]
