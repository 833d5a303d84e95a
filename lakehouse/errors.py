"""Why work stops, in words for the person who can mend it, and about no customer."""

import re

_OF_THE_CODE = re.compile(r"(Catalog|Binder|Parser) Error|does not exist|syntax error at", re.IGNORECASE)
_OF_A_CONNECTION = {"OperationalError", "AdminShutdown", "CrashShutdown", "CannotConnectNow", "InterfaceError"}
_BROKEN = re.compile(  # psycopg, ADBC and the server itself
    "terminating connection|server closed the connection|no connection to the server|connection is (closed|lost)"
    "|could not receive data from server|the database system is (starting up|shutting down|in recovery)"
)
_NO_MEMORY = re.compile(r"^\s*Out of Memory Error", re.MULTILINE)  # DuckDB, and dbt of one of its nodes
_FILE = re.compile(r'file \\?"([^"\\]+)')  # as DuckDB names it, in JSON or not
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


class Shortage(Stop):
    """The machine has no room left on a disk, or too little memory."""


class ConnectionLost(Stop):
    """The database ended a connection, or the network dropped it."""


def stop_of(failure: BaseException) -> Stop | None:
    """What to say if a failure is the machine's, which every library tells in its own way; None: it is the code's.

    >>> print(stop_of(OSError(28, "No space left on device", "lake/raw/x.parquet")))
    no space is left on the disk of lake/raw/x.parquet: free some, and run the date again; `c360 doctor` looks at disks
    >>> stop_of(OSError(2, "No such file or directory", "lake/raw/x.parquet"))
    """
    text = str(failure)
    if "No space left on device" in text or "Disk quota exceeded" in text:
        named = _FILE.search(text)
        place = getattr(failure, "filename", None) or (named[1] if named else "the lake, the build engine or the store")
        remedy = "free some, and run the date again; `c360 doctor` looks at disks"
        return Shortage(f"no space is left on the disk of {place}", remedy)
    if _NO_MEMORY.search(text) or isinstance(failure, MemoryError):
        return Shortage("the memory does not suffice", "raise C360_MEMORY_LIMIT, or run on a machine that has more")
    is_of_a_database = type(failure).__name__ in _OF_A_CONNECTION or getattr(failure, "is_of_a_database", False)
    if is_of_a_database and _BROKEN.search(text):
        return ConnectionLost("the connection to Postgres broke", "run it again once the server answers: `c360 doctor`")
    return None


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
