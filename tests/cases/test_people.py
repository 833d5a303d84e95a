"""Who is who in the cases' files, by the public commands `c360 adapt csv` and `c360 evaluate identity`."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.cases.commands import CASES, run

CHINESE = {"customer_no": "no", "birth_date": "birth", "id_no": "idno", "phone": "phone", "address": "address"}
LATIN = {"customer_no": "id", "birth_date": "dob", "address": "addr"}
ALL = {"name": "name", "city": "city", "party_type": "'P'", "home_branch_code": "'B1'"}
ALL |= {"opened_date": "date '2024-01-01'"}
RIGHT = {  # columns, least precision and F1 by pairs
    "six_fillers": (CHINESE, 1, 1),
    "father_son": (CHINESE, 1, 1),
    "15_digit_id": (CHINESE, 1, 1),
    "chain": (LATIN, 0.97, 0.97),
    "nick": (LATIN, 0.97, 0.95),
}


@pytest.fixture(autouse=True)
def parties(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bank that sends party records only."""
    Path("parties.yml").write_text("{name: parties, currency: CNY, required: [customers]}")
    monkeypatch.setenv("C360_DEPLOYMENT", "parties.yml")


# of the others' kinds there are more persons in tests/lakehouse/identity/test_cases.py
@pytest.mark.parametrize(
    "case", [case if case == "nick" else pytest.param(case, marks=pytest.mark.full) for case in RIGHT]
)
def test_records_of_a_person_are_one_customer(case: str) -> None:
    """Those that differ in a slip, an old number or a short name; strangers with one filler, father and son are two."""
    columns, precision, f1 = RIGHT[case]
    sets = [word for name, sql in (columns | ALL).items() for word in ("--set", f"{name}={sql}")]
    run("adapt", "csv", CASES / f"people_{case}.csv", "customers", "--month", "2024-01", "--out", "landing", *sets)
    truth = CASES / f"people_{case}_truth.csv"
    judged = json.loads(run("evaluate", "identity", "--truth", truth, "--json"))
    persons = Counter(person for _, person in csv.reader(truth.open()))
    assert (judged["records"], judged["records_not_delivered"]) == (sum(persons.values()) - 1, 0)
    assert judged["persons"] == len(persons) - 1
    assert judged["pairs"]["precision"] >= precision and judged["pairs"]["f1"] >= f1
    assert judged["clusters_of_two_persons"] == 0
    if f1 == 1:  # without doubtful names and dates, every customer is right
        assert judged["customers"] == judged["persons"] and judged["clusters"]["f1"] == 1
    said = " ".join(judged["warnings"])
    assert (
        ("(6 records) is no evidence: a filler" in said and "0000" not in said) if case == "six_fillers" else not said
    )
