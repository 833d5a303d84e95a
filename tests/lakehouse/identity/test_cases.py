"""Kinds of input that set record linkage wrong: what the public commands make of each, beside ordinary people."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.lakehouse.identity.people import People, old_document


def with_digit(text: str, place: int, step: int) -> str:
    """One digit counted up or down."""
    return text[:place] + str((int(text[place]) + step) % 10) + text[place + 1 :]


def slips(born: date, chance: int) -> list[str]:
    """Dates of which each has one digit wrong, or days and months swapped; the true one may not be among them."""
    text = f"{born:%Y}-0{1 + chance % 9}-1{chance % 8}"
    wrong = [with_digit(text, 3, 3), with_digit(text, 9, 1), with_digit(text, 6, 1 if text[6] != "9" else -1)]
    return [text, *wrong, with_digit(text, 2, 1)] if chance % 2 else [*wrong, with_digit(text, 2, -1)]


def chinese() -> People:
    """Persons with documents; fathers and sons of one name and home; twins; the 15-digit number; a filler."""
    people = People()
    for number in range(320):
        one = people.han()
        again = replace(one, phone="", address=people.han().address) if number % 8 == 0 else None
        people.add(f"p{number}", one, *([again] if again else []))
    for number in range(12):
        father = replace(people.han(), id_no="", birth_date=f"19{50 + number}-03-1{number % 9}")
        years = (27, 18, 35, 41)[number % 4]  # and one pair without the phone, one without the address
        son = replace(father, birth_date=f"{1950 + number + years}-0{1 + number % 9}-2{number % 8}")
        hidden = {number % 4 == 1: {"phone": ""}, number % 4 == 2: {"address": ""}}.get(True, {})
        people.add(f"father{number}", replace(father, **hidden))
        people.add(f"son{number}", replace(son, **hidden))
    for number in range(12):
        one, other = people.han(), people.han()
        home = {"id_no": "", "birth_date": one.birth_date, "phone": one.phone, "address": one.address}
        people.add(f"twin{number}a", replace(one, **home))
        given = other.name[1:] if not set(other.name[1:]) & set(one.name) else "雅婷"
        people.add(f"twin{number}b", replace(one, name=one.name[0] + given, **home))
    for number in range(12):
        one = people.han()
        moved = replace(people.han(), name=one.name, birth_date=one.birth_date, id_no=old_document(one.id_no))
        people.add(f"old{number}", one, moved)
    for number in range(6):
        people.add(f"none{number}", replace(people.han(), id_no="000000000000000000"))
    return people


def latin() -> People:
    """Persons without documents: several records with one slip in the date of each; short names; titles; twins."""
    people = People()
    short = {"Aldo": "Al", "Berta": "Bertie", "Carlo": "Charly", "Doris": "Dodo", "Hilda": "Hild", "Jutta": "Jutka"}
    for number in range(240):
        one = people.latin()
        if number % 3 == 0:
            dates = slips(date.fromisoformat(one.birth_date), number)
            people.add(
                f"chain{number}",
                *(
                    replace(one, birth_date=born, address="" if at > 1 else one.address)
                    for at, born in enumerate(dates)
                ),
            )
        elif number % 3 == 1:
            given, family = one.name.split()
            other = (
                short.get(given, given[:2]),
                f"{given[0]}.",
                f"Dr. {given}",
                f"{given} Maria",
                f"{family}, {given}",
            )
            name = other[number % 5]
            people.add(f"short{number}", one, one, replace(one, name=name if "," in name else f"{name} {family}"))
        else:
            people.add(f"single{number}", one)
    for number in range(12):
        one, other = people.latin(), people.latin()
        given = other.name.split()[0] if other.name.split()[0] != one.name.split()[0] else "Wanda"
        people.add(f"twin{number}a", one, one)
        people.add(f"twin{number}b", *[replace(one, name=f"{given} {one.name.split()[1]}")] * 2)
    return people


@pytest.mark.parametrize("people", [chinese, latin])
def test_every_kind_is_judged_right(people: Callable[[], People], tmp_path: Path) -> None:
    quality = people().judged(tmp_path)
    assert quality["pairs"]["f1"] >= 0.99 and quality["pairs"]["precision"] >= 0.99, quality["pairs"]
    assert quality["clusters_of_two_persons"] == 0
