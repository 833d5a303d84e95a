"""A document is one number in many writings, and evidence only where nothing speaks against it."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from lakehouse.identity.documents import create_document_macros
from lakehouse.identity.linkage import Linkage
from tests.lakehouse.identity.people import People, Person, document, old_document

NEW, OLD = "529653197412042583", "529653741204258"


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    create_document_macros(con, Linkage.read())
    return con


@pytest.mark.parametrize(
    "written",
    [
        OLD,  # before 1999
        "52965319741204258X",  # the check digit is no part of who it is
        "５２９６５３１９７４１２０４２５８３",  # full width
        "529653 19741204 2583",
        "529653-19741204-2583",
        "\u200b529653197412042583\ufeff",  # zero width
        "\u00a0529653\u3000197412042583",  # blanks that are none
    ],
)
def test_one_number_in_many_writings(con: duckdb.DuckDBPyConnection, written: str) -> None:
    assert con.execute("select document($1) = document($2)", [written, NEW]).fetchall() == [(True,)]


@pytest.mark.parametrize("one", ["PK1234567", f"{OLD[:8]}13{OLD[10:]}", "9131" + "0" * 12 + "12", "P12345678"])
def test_other_documents_stay_as_they_are_written(con: duckdb.DuckDBPyConnection, one: str) -> None:
    assert con.execute("select document($1)", [f" {one.lower()} "]).fetchall() == [(one,)]


@pytest.mark.parametrize(
    "filler",
    ["000000000000000000", "0", "９９９９９９９９９", "123456789012345678", "无", "N/A", "unknown", "XXXXXXXX", "-"],
)
def test_a_filler_is_no_document(con: duckdb.DuckDBPyConnection, filler: str) -> None:
    assert con.execute("select document($1)", [filler]).fetchall() == [(None,)]


def test_the_check_digit_is_checked(con: duckdb.DuckDBPyConnection) -> None:
    numbers = ["11010519491231002X", "110105194912310021", OLD, "PK1234567"]
    checked = "select list_transform($1, lambda number: has_wrong_check_digit(plain_document(number)))"
    assert con.execute(checked, [numbers]).fetchall() == [([False, True, False, False],)]


def customers(folder: Path, people: People) -> tuple[int, list[str]]:
    """How many customers, of how many records: fewer than a model needs, so exact evidence alone counts."""
    quality = people.judged(folder)
    assert quality["pairs"]["f1"] in (1.0, 0.0) and quality["pairs"]["found"] == quality["pairs"]["true"], quality
    return quality["customers"], quality["warnings"]


def test_strangers_with_one_document_stay_apart_whatever_the_document(tmp_path: Path) -> None:
    """A known filler, a number that looks real, one of two strangers only, one with a wrong check digit."""
    people = People()
    fillers = {"000000000000000000": 6, document(people.chance, date(1980, 1, 1)): 6, "P7654321": 2}
    for filler, holders in fillers.items():
        for number in range(holders):
            people.add(f"{filler}-{number}", Person(**vars(people.han()) | {"id_no": filler}))
    people.add("m1", Person("王伟", "1960-01-31", "G1234567"))  # a family name is not enough
    people.add("m2", Person("王静怡", "1991-07-02", "G1234567"))
    people.add("e1", Person("Anna Nowak", "1960-01-31", "E1111111"))
    people.add("e2", Person("Piotr Nowak", "1991-07-02", "E1111111"))
    wrong = "110105194912310021"  # one of the two differs: that is enough against a number that cannot be
    people.add("w1", Person("王伟", "1949-12-31", wrong))
    people.add("w2", Person("李娜", "1949-12-31", wrong))
    count, warnings = customers(tmp_path, people)
    assert count == len(people.rows)
    assert len(warnings) == 6 and not any(number in warning for warning in warnings for number in (*fillers, wrong))


def test_one_person_keeps_their_document_through_slips(tmp_path: Path) -> None:
    people = People()
    one, other, third, fourth = (people.han() for _ in range(4))
    people.add("old", one, Person(**vars(one) | {"id_no": old_document(one.id_no), "phone": "", "address": ""}))
    people.add("married", Person("Anna Nowak", "1980-02-01", "E1234567"), Person("Anna Wolf", "1980-02-01", "e1234567"))
    people.add("swapped", Person("Ewa Maj", "1970-02-01", "E7654321"), Person("Maj, Ewa", "1990-12-09", "E7654321"))
    people.add("date", other, Person(**vars(other) | {"birth_date": "1901-02-03"}))
    people.add("name", third, Person(**vars(third) | {"name": "Someone Else"}))
    people.add("many", fourth, *(Person(**vars(fourth) | {"birth_date": f"19{n}0-01-01"}) for n in range(4, 9)))
    count, warnings = customers(tmp_path, people)
    assert (count, warnings) == (6, [])
