"""Tags: groups of customers that people define by conditions on published columns.

A definition (`definition`) names columns that are published (`columns`) and becomes SQL (`rendering`), by which its
customers are counted (`counting`); a version of it, or its retirement, is handed in as a delivery (`changes`); who has
a tag and may be contacted is handed on as a file (`exporting`). What counts on a day, and who has it, dbt says.
"""

from lakehouse.tags.changes import Handed, Told, handed_in, retire, save, told
from lakehouse.tags.counting import Preview, count, count_by, counted_day
from lakehouse.tags.definition import Condition, Definition, condition_of, condition_words
from lakehouse.tags.exporting import Exported, export
from lakehouse.tags.misfit import Misfit
from lakehouse.tags.reading import versions
from lakehouse.tags.rendering import Rendered, variables

__all__ = [
    "Condition",
    "Definition",
    "Exported",
    "Handed",
    "Misfit",
    "Preview",
    "Rendered",
    "Told",
    "condition_of",
    "condition_words",
    "count",
    "count_by",
    "counted_day",
    "export",
    "handed_in",
    "retire",
    "save",
    "told",
    "variables",
    "versions",
]
