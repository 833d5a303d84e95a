"""Made-up people with the slips that set record linkage wrong: rows for two files, and which record is of whom."""

import csv
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from lakehouse.adapters import csv as csv_adapter
from lakehouse.identity.evaluation import Quality, evaluate
from lakehouse.settings import Settings
from tests.conftest import temporary_settings

FAMILY_HAN, GIVEN_HAN = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", "伟强磊洋勇军杰涛超明刚平辉鹏华飞鑫波斌宇"
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
    "Quido",
    "Rosa",
]
FAMILY = [
    start + end
    for start in ["Dorn", "Hart", "Eich", "Lind", "Gold", "Fern", "Nord", "Kern", "Quast", "Mont"]
    for end in ["berg", "heim", "stein", "wald", "holt", "mann"]
]
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True)
class Person:
    """One record's columns as text; empty where it has none."""

    name: str
    birth_date: str
    id_no: str = ""
    phone: str = ""
    address: str = ""
    city: str = ""


@dataclass
class People:
    """Records and the persons behind them, in the order in which they are added."""

    chance: random.Random = field(default_factory=lambda: random.Random(11))
    rows: list[tuple[str, Person, str]] = field(default_factory=list)  # record, columns, person

    def add(self, person: str, *records: Person) -> None:
        """The records of one person."""
        self.rows += [(f"{person}x{number}", record, person) for number, record in enumerate(records)]

    def born(self, first: int = 1940, last: int = 2000) -> date:
        return date(first, 1, 1) + timedelta(self.chance.randrange((last - first) * 365))

    def han(self) -> Person:
        """Somebody in Shanghai, with a document, a phone and an address."""
        born, chance = self.born(), self.chance
        name = chance.choice(FAMILY_HAN) + "".join(chance.sample(GIVEN_HAN, chance.choice((1, 2, 2))))
        address = f"{chance.choice(('和平', '新华', '海淀'))}区{chance.choice(('中山', '黄河'))}路"
        address += f"{chance.randrange(1, 999)}号{chance.randrange(1, 40)}楼{chance.randrange(1, 2500)}室"
        return Person(
            name, str(born), document(chance, born), f"1{chance.randrange(3 * 10**9, 9 * 10**9)}", address, "上海市"
        )

    def latin(self) -> Person:
        """Somebody with a Latin name and an address."""
        name = f"{self.chance.choice(GIVEN)} {self.chance.choice(FAMILY)}"
        street = f"{self.chance.randrange(1, 99)} {self.chance.choice(FAMILY)} Street"
        return Person(
            name, str(self.born()), address=street, city=self.chance.choice(("Deal", "Hythe", "Brigg", "Egham"))
        )

    def judged(self, folder: Path) -> Quality:
        """What the public commands make of these records."""
        settings = parties(folder)
        header = ("number", "name", "born", "document", "phone", "street", "town")
        _write(folder / "people.csv", [header, *((number, *vars(record).values()) for number, record, _ in self.rows)])
        _write(
            folder / "truth.csv", [("record", "person"), *((f"cif:{number}", whose) for number, _, whose in self.rows)]
        )
        columns = {"customer_no": "number", "name": "name", "birth_date": "cast(nullif(born, '') as date)"}
        columns |= {"id_no": "document", "phone": "phone", "address": "street", "city": "town", "party_type": "'P'"}
        columns |= {"home_branch_code": "'B1'", "opened_date": "date '2024-01-01'"}
        csv_adapter.adapt(folder / "people.csv", "customers", columns, date(2024, 1, 1), settings.landing)
        return evaluate(settings, folder / "truth.csv")


def parties(folder: Path) -> Settings:
    """Settings of a bank that sends party records only."""
    deployment = folder / "parties.yml"
    deployment.write_text("{name: parties, currency: EUR, required: [customers], optional: [registrations]}")
    return temporary_settings(folder, deployment=deployment)


def document(chance: random.Random, born: date) -> str:
    """An identity number of 18 digits whose last one checks the others (GB 11643)."""
    body = f"3101{chance.randrange(1, 30):02}{born:%Y%m%d}{chance.randrange(1000):03}"
    return body + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]


def old_document(number: str) -> str:
    """The same number as it was written before 1999: 15 digits."""
    return number[:6] + number[8:17]


def _write(path: Path, rows: Iterable[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
