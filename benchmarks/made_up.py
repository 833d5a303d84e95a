"""Made-up people in files that were written badly: misread by a scanner, misheard on the phone, copied carelessly.

Names are English or Polish, some more usual than others; families share a home, some have twins, some a child of the
parent's name. The errors are not those of the public sets.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta


def _words(text: str) -> list[str]:
    return text.split()


ENGLISH_GIVEN = _words(
    """
    James Mary John Patricia Robert Jennifer Michael Linda William Elizabeth David Barbara Richard Susan Joseph
    Jessica Thomas Sarah Charles Karen Christopher Nancy Daniel Lisa Matthew Margaret Anthony Sandra Mark Ashley
    Donald Kimberly Steven Emily Paul Donna Andrew Michelle Joshua Carol Kenneth Amanda Kevin Dorothy Brian
    Melissa George Deborah Edward Stephanie Ronald Rebecca Timothy Sharon Jason Laura Jeffrey Cynthia Ryan
    Kathleen Jacob Amy Gary Angela
    """
)
ENGLISH_FAMILY = _words(
    """
    Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson
    Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis
    Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera
    Campbell Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart
    Morris Morales Murphy
    """
)
POLISH_GIVEN = _words(
    """
    Anna Piotr Krzysztof Maria Katarzyna Andrzej Małgorzata Tomasz Agnieszka Jan Paweł Barbara Ewa Michał Krystyna
    Marcin Elżbieta Stanisław Zofia Jakub Teresa Adam Magdalena Łukasz Joanna Grzegorz Janina Mateusz
    """
)
POLISH_FAMILY = [
    stem + ending
    for stem in _words("Nowa Kowal Wiśniew Wójci Kamiń Zieliń Szymań Woźnia Dąbrow Kozłow Jankow Mazur Krawczy Pawłow")
    for ending in ("ski", "ak", "czyk", "ewicz", "ec")
]
STREETS = [
    f"{name} {kind}"
    for name in _words("Oak Maple Cedar Pine Elm Lake Hill Park Main Church Mill River Spring Ridge Meadow Forest")
    for kind in ("Street", "Avenue", "Road", "Lane", "Drive")
]
CITIES = _words("Ashford Bexley Corby Durham Exmouth Fulham Grantham Halifax Ipswich Jarrow Kendal Luton Newark")
OCCUPATIONS = _words("teacher nurse clerk farmer engineer painter lawyer physician merchant soldier baker driver")
NICKNAMES = dict(
    pair.split(":")
    for pair in _words(
        """
    William:Bill Robert:Bob Elizabeth:Liz Margaret:Peggy Richard:Dick James:Jim Michael:Mike Jennifer:Jenny
    Thomas:Tom Edward:Ted Christopher:Kit Dorothy:Dolly Susan:Sue Patricia:Trish Deborah:Debbie Joseph:Joe
    Daniel:Dan Anthony:Tony Mary:Polly Sarah:Sally Rebecca:Becky Małgorzata:Gosia Katarzyna:Kasia Jan:Janek
    Zofia:Zosia Joanna:Asia Tomasz:Tomek
    """
    )
)
Table = tuple[tuple[str, str], ...]  # what is taken for what


def _table(text: str) -> Table:
    return tuple((pair.split(">")[0], pair.split(">")[1]) for pair in _words(text))


MISREAD = _table("o>0 l>1 s>5 m>rn rn>m e>c h>b cl>d u>v i>l ni>m a>o")
MISHEARD = _table("ph>f c>k ck>k ie>y y>i th>t ei>ie sch>sh w>v z>s ll>l nn>n tt>t ss>s ai>ay ks>x")


@dataclass(frozen=True)
class Kind:
    """How a file is written: shares of the fields that are wrong or empty, and how they go wrong."""

    given: Sequence[str]
    family: Sequence[str]
    columns: tuple[str, ...]
    slips: tuple[Table, ...]  # one of them is used each time; () is any letter
    wrong: float
    empty: float
    nicknames: float
    copies: tuple[int, ...]
    households: bool = True


WITH_HOME = ("name", "birth_date", "address", "city")
KINDS = {
    "misread, English": Kind(ENGLISH_GIVEN, ENGLISH_FAMILY, WITH_HOME, (MISREAD,), 0.25, 0.1, 0.05, (1, 1, 2, 3)),
    "misheard, Polish": Kind(POLISH_GIVEN, POLISH_FAMILY, WITH_HOME, (MISHEARD,), 0.3, 0.12, 0.15, (1, 2, 2, 3)),
    "careless, no home": Kind(
        ENGLISH_GIVEN,
        ENGLISH_FAMILY,
        ("name", "birth_date", "city", "occupation"),
        (MISREAD, MISHEARD, ()),
        0.3,
        0.2,
        0.1,
        (2, 3, 4, 5, 6, 7),
        households=False,
    ),
}
Person = dict[str, str]


def rows(kind: Kind, persons: int, seed: int = 1) -> list[tuple[str, Person]]:
    """Person and record, in no order; a record's birth date is ISO, and empty text is missing."""
    chance = random.Random(seed)
    found = []
    for number, person in enumerate(_people(chance, kind, persons)):
        copies = range(chance.choice(kind.copies) - 1)
        found += [(str(number), _named(person)), *((str(number), _written(chance, kind, person)) for _ in copies)]
    chance.shuffle(found)
    return [(number, {column: record[column] for column in kind.columns}) for number, record in found]


def _people(chance: random.Random, kind: Kind, persons: int) -> list[Person]:
    found: list[Person] = []
    while len(found) < persons:
        born = date(1935, 1, 1) + timedelta(chance.randrange(20_000))
        home = {"family": _skewed(chance, kind.family), "city": chance.choice(CITIES)}
        home["address"] = f"{chance.randrange(1, 200)} {chance.choice(STREETS)}"
        given = chance.sample(kind.given, 5)
        given[0] = _skewed(chance, [name for name in kind.given if name not in given[1:]])
        members = [(given[0], born)]
        if kind.households and chance.random() < 0.3:
            child = born + timedelta(chance.randrange(9_000, 13_000))
            members += [(given[1], born + timedelta(chance.randrange(-2000, 2000))), (given[2], child)]
            if chance.random() < 0.1:
                members.append((given[3], child))  # a twin
        if kind.households and chance.random() < 0.01:
            members.append(
                (given[0], born + timedelta(chance.randrange(7_000, 12_500)))
            )  # a child of the parent's name
        for name, day in members:
            found.append(home | {"given": name, "birth_date": str(day), "occupation": chance.choice(OCCUPATIONS)})
    return found


def _skewed(chance: random.Random, names: Sequence[str]) -> str:
    """One of the names, the first ones more often."""
    if chance.random() < 0.4:
        return names[min(int(chance.paretovariate(0.5)) - 1 + chance.randrange(5), len(names) - 1)]
    return chance.choice(names)


def _named(person: Person) -> Person:
    return person | {"name": f"{person['given']} {person['family']}"}


def _written(chance: random.Random, kind: Kind, person: Person) -> Person:
    """The person's record, written badly."""
    record = dict(person)
    if chance.random() < kind.nicknames:
        record["given"] = NICKNAMES.get(record["given"], record["given"][0])
    for column in ("given", "family", "address", "city"):
        if chance.random() < kind.wrong / (2 if column == "city" else 1):
            record[column] = _slip(chance, record[column], chance.choice(kind.slips))
    if chance.random() < kind.wrong:
        record["birth_date"] = _another_date(chance, date.fromisoformat(record["birth_date"]))
    if chance.random() < 0.1:
        record |= {"address": f"{chance.randrange(1, 200)} {chance.choice(STREETS)}", "city": chance.choice(CITIES)}
    for column in ("birth_date", "address", "city", "occupation"):
        if chance.random() < kind.empty:
            record[column] = ""
    is_swapped = chance.random() < 0.02
    return record | {"name": " ".join((record["family"], record["given"]))} if is_swapped else _named(record)


def _slip(chance: random.Random, text: str, table: Table) -> str:
    fitting = [(taken, put) for taken, put in table if taken in text[1:].lower()]
    if fitting:
        taken, put = chance.choice(fitting)
        at = text.lower().index(taken, 1)
        return text[:at] + put + text[at + len(taken) :]
    at, letter = chance.randrange(len(text)), chance.choice("abcdefghijklmnopqrstuvwxyz")
    return chance.choice(
        (text[:at] + letter + text[at + 1 :], text[:at] + text[at + 1 :], text[:at] + letter + text[at:])
    )


def _another_date(chance: random.Random, born: date) -> str:
    """Somebody else's, days and months swapped, or a year, a month or a day wrong."""
    how = chance.random()
    if how < 0.1:
        return str(date(1930, 1, 1) + timedelta(chance.randrange(25_000)))
    if how < 0.4 and born.day <= 12:
        return str(born.replace(month=born.day, day=born.month))
    day = min(born.day, 28)
    if how < 0.6:
        return str(born.replace(year=born.year + chance.choice((-1, 1, -10, 10)), day=day))
    return str(
        born.replace(month=chance.randrange(1, 13), day=day) if how < 0.8 else born.replace(day=chance.randrange(1, 29))
    )
