"""Records that were typed badly: the hard setting, in which three fields in ten are wrong, old or empty.

A record keeps its damage when it is delivered again, as a mistake does that nobody has noticed.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from simulator import names
from simulator.draws import Draws
from simulator.text import NULL, Values
from simulator.timeline import to_date

RATE = 0.3
Spoil = Callable[[Values, np.ndarray, np.ndarray, np.ndarray], Values]  # values, is_hit, kind, place


def damage(draws: Draws, feed: str, rows: dict[str, Values], keys: np.ndarray) -> dict[str, Values]:
    """Columns of a feed with damaged identity fields; ``keys`` number the records, shape (rows,).

    Names lose, swap or mistake a character, numbers a digit; birth dates swap day and month, miss by a digit or are
    empty; phones and addresses are those of another time or empty. An online user gives no identity document.
    """
    damaged = dict(rows)
    for column, spoil in _SPOILED.items():
        if column in rows:
            hit = draws.uniform(f"{feed} {column} damaged", keys) < RATE
            kind = draws.uniform(f"{feed} {column} damage", keys)
            place = draws.bits(f"{feed} {column} place", keys)
            damaged[column] = spoil(rows[column], hit, kind, place)
    if feed == "registrations":
        damaged["id_no"] = pa.nulls(len(keys), pa.string())
    return damaged


def _texts(spoil: Callable[[str, float, int], str | None]) -> Spoil:
    """A column of text, value by value."""

    def spoiled(values: pa.Array, hit: np.ndarray, kind: np.ndarray, place: np.ndarray) -> pa.Array:
        rows = zip(values.to_pylist(), hit, kind, place, strict=True)
        return pa.array([spoil(text, k, int(p)) if text and h else text for text, h, k, p in rows], pa.string())

    return spoiled


@_texts
def _name(text: str, kind: float, _place: int) -> str:
    if len(text) < 2 or kind < 0.4:
        return text[:-1] + names.SIMILAR.get(text[-1], "小")
    if kind < 0.6:
        return names.TRADITIONAL.get(text[0], text[0]) + " " + text[1:]
    if len(text) > 2 and kind < 0.8:
        return text[:-2] + text[-1] + text[-2]
    return text[:-1] if len(text) > 2 else text + text[-1]


@_texts
def _number(text: str, kind: float, place: int) -> str | None:
    if kind < 0.15:
        return None
    if kind < 0.4:  # another number
        return "1" + str(3_000_000_000 + place % 6_900_000_000)
    return _slip(text, kind, place)


@_texts
def _document(text: str, kind: float, place: int) -> str:
    return _slip(text, kind, place)


@_texts
def _email(text: str, kind: float, place: int) -> str | None:
    return None if kind < 0.5 else _slip(text, kind, place)


@_texts
def _address(text: str, kind: float, place: int) -> str | None:
    if kind < 0.25:
        return None
    if kind < 0.7:  # where they lived before
        city = text[:3] if text[2:3] == "市" else ""
        district, road = place % len(names.DISTRICTS), place // 8 % len(names.ROADS)
        return f"{city}{names.DISTRICTS[district]}{names.ROADS[road]}{place // 256 % 300 + 1}号"
    return _slip(text, kind, place)


def _slip(text: str, kind: float, place: int) -> str:
    """One digit wrong, or two in the wrong order."""
    digits = [at for at, character in enumerate(text) if character.isdigit()]
    at = digits[place % (len(digits) - 1)]
    if kind > 0.8 and text[at] != text[at + 1]:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + str((int(text[at]) + 1 + place // 64 % 9) % 10) + text[at + 1 :]


def _birth_date(values: np.ndarray, hit: np.ndarray, kind: np.ndarray, place: np.ndarray) -> np.ndarray:
    spoiled = values.copy()
    for at in np.flatnonzero(hit & (values != NULL)):
        day = to_date(values[at])
        if kind[at] < 0.3:
            spoiled[at] = NULL
        elif kind[at] < 0.6 and day.day <= 12 and day.day != day.month:
            spoiled[at] = values[at] + (day.replace(month=day.day, day=day.month) - day).days
        else:
            years = (1, -1, 10, -10)[int(place[at] % 4)]
            spoiled[at] = values[at] + (day.replace(year=day.year - years, day=min(day.day, 28)) - day).days
    return spoiled


_SPOILED = {
    "name": _name,
    "birth_date": _birth_date,
    "id_no": _document,
    "phone": _number,
    "email": _email,
    "address": _address,
}
