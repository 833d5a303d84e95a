"""Texts for files that people open in a spreadsheet, which would take some of them for formulas."""

BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # those of full width, too


def plain(value: object) -> object:
    """The value as it is shown; an apostrophe sets off a text that would be a formula.

    >>> plain("=1+1"), plain("B0001"), plain(-3)
    ("'=1+1", 'B0001', -3)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(BEGINNINGS) else value
