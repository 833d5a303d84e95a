"""Why work stops, in words for the person who can mend it."""


class Stop(Exception):
    """Work cannot go on until somebody acts; commands print it without a traceback.

    Parameters
    ----------
    message : str
        What is wrong: names the file, row, column or setting, never a person.
    remedy : str, optional
        What to do about it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}: {remedy}" if remedy else message)
