"""Twins, parents and households are told from errors by contrast, forms of one name by how often they meet."""

import random
from datetime import date, timedelta

import duckdb
import pytest
from pydantic import SecretStr

from lakehouse.identity.comparable import SHORT_FORM, create_comparable
from lakehouse.identity.linkage import Linkage
from lakehouse.identity.relatives import add_forms, explained_by_errors, learned_forms
from lakehouse.ingestion.rules import create_token_macro

LINKAGE = Linkage.read()
GIVEN = [
    "Aldo",
    "Berta",
    "Carlo",
    "Doris",
    "Ennio",
    "Flora",
    "Guido",
    "Hilda",
    "Ivano",
    "Jutta",
    "Karel",
    "Lydia",
    "Marek",
    "Nadja",
    "Oskar",
    "Paula",
]
FAMILY = [
    "Dornberg",
    "Hartheim",
    "Eichholt",
    "Lindwald",
    "Goldner",
    "Feldmann",
    "Nordstein",
    "Kerneck",
    "Quasthof",
    "Montjoie",
    "Prim",
    "Zauner",
]
SPLINK = {
    "comparisons": [
        {
            "output_column_name": column,
            "comparison_levels": [
                {"label_for_charts": level["is"], "u_probability": 0.45}
                for level in [*LINKAGE.raw["comparisons"][column], {"is": "different"}]
            ],
        }
        for column in ("name", "birth_date", "address")
    ]
}
Row = tuple[str, date, str]  # name, birth date, address


class Town:
    """People who live somewhere, some of them recorded twice."""

    def __init__(self) -> None:
        self.chance = random.Random(3)
        self.rows: list[Row] = []

    def someone(self) -> Row:
        name = f"{self.chance.choice(GIVEN)} {self.chance.choice(FAMILY)}"
        return name, self.born(), f"{len(self.rows)} {self.chance.choice(FAMILY)} Street"

    def born(self) -> date:
        return date(self.chance.randrange(1930, 2005), self.chance.randrange(1, 13), self.chance.randrange(1, 28))

    def other(self, of: str, names: list[str]) -> str:
        return self.chance.choice([name for name in names if name[0] != of[0]])

    def twins(self, count: int) -> None:
        for _ in range(count):
            name, born, home = self.someone()
            given, family = name.split()
            self.rows += [(name, born, home), (f"{self.other(given, GIVEN)} {family}", born, home)]

    def parents(self, count: int) -> None:
        for _ in range(count):
            name, born, home = self.someone()
            self.rows += [(name, born, home), (name, born - timedelta(self.chance.randrange(7000, 14000)), home)]

    def replaced(self, count: int) -> None:
        """Each of given name, family name and date of a person is another one in a record."""
        for _ in range(count):
            name, born, home = self.someone()
            given, family = name.split()
            self.rows += [(name, born, home), (f"{self.other(given, GIVEN)} {family}", born, home)]
            self.rows += [(f"{given} {self.other(family, FAMILY)}", born, home), (name, self.born(), home)]

    def short(self, one: str, other: str, count: int) -> None:
        for _ in range(count):
            _, born, home = self.someone()
            family = self.chance.choice(FAMILY)
            self.rows += [(f"{one} {family}", born, home), (f"{other} {family}", born, home)]

    def trained_on(self) -> duckdb.DuckDBPyConnection:
        """A connection that holds ``training``."""
        con = duckdb.connect()
        create_token_macro(con, SecretStr("town"))
        con.execute(
            "create table party_records (record_id varchar, party_key varchar, party_type varchar, name varchar, "
            "gender varchar, birth_date date, id_no varchar, phone varchar, email varchar, address varchar, "
            "city varchar, occupation varchar, known_from date)"
        )
        con.executemany(
            "insert into party_records by name select $1 as record_id, $1 as party_key, 'P' as party_type, $2 as name, "
            "cast($3 as date) as birth_date, $4 as address",
            [(str(at), name, str(born), home) for at, (name, born, home) in enumerate(self.rows)],
        )
        create_comparable(con, LINKAGE)
        con.execute("create table training as from comparable")
        return con


def test_relatives_stand_out_from_errors() -> None:
    town = Town()
    town.twins(30)
    town.parents(30)
    assert explained_by_errors(town.trained_on(), LINKAGE, SPLINK) == {"twin": 0.0, "parent": 0.0, "household": 0.0}


def test_errors_explain_what_looks_like_relatives() -> None:
    town = Town()
    town.replaced(60)
    explained = explained_by_errors(town.trained_on(), LINKAGE, SPLINK)
    assert min(explained["twin"], explained["parent"], explained["household"]) >= 0.8, explained


def test_names_that_meet_again_and_again_are_one_name() -> None:
    town = Town()
    town.twins(60)
    town.short("Nando", "Fred", 8)
    town.short("Adele", "Della", 6)
    con = town.trained_on()
    forms = learned_forms(con, LINKAGE)
    assert len(forms) == 2
    add_forms(con, "training", forms)
    shared = con.execute(
        "select distinct l.given, r.given from training as l join training as r "
        "on list_has_any(l.given_forms, r.given_forms) and l.given < r.given order by all"
    ).fetchall()
    assert shared == [("adele", "della"), ("fred", "nando")]


@pytest.mark.parametrize(
    ("one", "other", "is_short"),
    [
        ("elizabeth", "beth", True),
        ("edward", "eddie", True),
        ("bruno", "bo", True),
        ("john", "j", True),
        ("mary ann", "mary", True),
        ("renata", "nata", True),
        ("anna", "paula", False),
        ("carlo", "doris", False),
        ("ivano", "ida", False),
    ],
)
def test_a_short_form_is_made_of_the_name(one: str, other: str, is_short: bool) -> None:
    con = duckdb.connect()
    con.execute(SHORT_FORM)
    names = "select short_form($1, $2) or list_has_any(string_split($1, ' '), string_split($2, ' '))"
    assert con.execute(names, [one, other]).fetchall() == [(is_short,)]
