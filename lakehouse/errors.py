"""Why work stops, in words for the person who can mend it, and about no customer."""

import re

_OF_THE_CODE = re.compile(r"(Catalog|Binder|Parser) Error|does not exist|syntax error at", re.IGNORECASE)
_VALUES = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|=\([^\n]*?\)|\d{6,}")


class Stop(Exception):
    """Work cannot go on until somebody acts; commands print it without a traceback.

    Parameters
    ----------
    message : str
        What is wrong: names the file, row, column or setting, never a person.
    remedy : str, optional
        What to do about it.
    """

    is_of_a_database = False  # its message is a database's, which may quote rows

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}: {remedy}" if remedy else message)
        self.remedy = remedy


def without_values(failure: BaseException) -> str:
    """What went wrong, for a table that readers see: a database's or a library's message may quote a customer.

    A `Stop` names no customer, unless a database speaks through it.

    >>> without_values(ValueError("could not convert string to float: '王小明'"))
    "ValueError: could not convert string to float: '…'"
    >>> without_values(Stop("transactions_2026-01-05_v1.dat: row 7: column amount"))
    'Stop: transactions_2026-01-05_v1.dat: row 7: column amount'
    """
    text = str(failure)
    is_ours = isinstance(failure, Stop) and not failure.is_of_a_database
    return f"{type(failure).__name__}: {text if is_ours else masked(text)}"


def masked(text: str) -> str:
    """What a database or a library says, without what may be a value: quoted text, long numbers.

    >>> masked("could not convert '王小明', row 7 of 19912345670")
    "could not convert '…', row 7 of '…'"
    """
    return text if _OF_THE_CODE.search(text) else _VALUES.sub("'…'", text)
