"""Party records of a simulated bank become customers: as true as they can be, and the same by days as at once."""

import csv
import random
import shutil
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from lakehouse import lake
from lakehouse.adapters import csv as csv_adapter
from lakehouse.errors import Stop
from lakehouse.identity.evaluation import evaluate
from lakehouse.identity.explain import match_weights, waterfall
from lakehouse.identity.link import link, retrain
from lakehouse.identity.model import current_model
from lakehouse.lake.places import review_file
from lakehouse.settings import Settings
from tests.conftest import temporary_settings
from tests.lakehouse.identity.conftest import DAYS
from tests.lakehouse.ingestion.bank import Bank

LAST = DAYS[-1]


def read(path: Path, columns: str = "*") -> list[tuple]:
    return duckdb.sql(f"select {columns} from '{path}' order by all").fetchall()


def linked(settings: Settings, day: date) -> Path:
    return link(settings, lake.pin(settings.lake, day))


def customers(settings: Settings, day: date) -> dict[str, tuple[str, str]]:
    """Customer and rule of each party record as known by the day."""
    rows = read(linked(settings, day), "party_key, customer_key, rule, valid_to")
    return {party: (customer, rule) for party, customer, rule, valid_to in rows if valid_to is None}


def deliver(settings: Settings, feed: str, rows: list[dict], day: date, **rest: object) -> None:
    bank = Bank(settings)
    bank.deliver(feed, [{"business_date": str(day), **row} for row in rows], period=str(day), **rest)
    (outcome,) = bank.ingest(feed, str(day))
    assert outcome.is_loaded and outcome.rows_quarantined == 0, outcome


def decide(settings: Settings, day: date, left: str, right: str, decision: str) -> None:
    row = {"decision_id": f"D{day}", "left_party_key": left, "right_party_key": right, "decision": decision}
    deliver(settings, "identity_decisions", [row], day)


def test_customers_agree_with_the_truth(bank: Settings, simulated: Settings) -> None:
    quality = evaluate(bank, simulated.landing.parent / "truth")
    assert quality["pairs"]["f1"] > 0.96 and quality["pairs"]["precision"] > 0.99
    assert quality["clusters"]["f1"] > 0.95
    assert quality["clusters_of_two_persons"] == 0 and quality["records_not_delivered"] == 0


def test_days_one_by_one_equal_all_at_once(bank: Settings, simulated: Settings, tmp_path: Path) -> None:
    linked(bank, DAYS[0])
    by_day = linked(bank, LAST)
    pairs = bank.lake / "identity" / "pairs" / current_model(bank.lake).version
    batches = sorted(pairs.iterdir())
    assert len(batches) > 1  # a day's new records were compared, and no others again
    other = temporary_settings(tmp_path / "other")
    shutil.copytree(simulated.lake, other.lake)
    shutil.rmtree(other.lake / "identity")
    at_once = linked(other, LAST)
    assert current_model(other.lake).splink == current_model(bank.lake).splink
    assert read(at_once) == read(by_day)
    assert read(review_file(at_once)) == read(review_file(by_day))
    linked(bank, DAYS[0])  # an earlier date again
    assert sorted(pairs.iterdir()) == batches


def test_a_clerk_overrides_the_model_until_he_withdraws(bank: Settings) -> None:
    review = read(review_file(linked(bank, LAST)), "left_party_key, right_party_key, left_customer_key")
    left, right, _ = review[0]
    before = customers(bank, LAST)
    days = [LAST + timedelta(days=number) for number in (1, 2, 3)]
    decide(bank, days[0], left, right, "same")
    merged = customers(bank, days[0])
    assert merged[left][0] == merged[right][0]
    assert "clerk" in {merged[left][1].split(",")[0], merged[right][1].split(",")[0]}
    assert (left, right) not in read(review_file(linked(bank, days[0])), "left_party_key, right_party_key")
    decide(bank, days[1], left, right, "withdrawn")
    assert customers(bank, days[1]) == before
    joined = next(key for key, (customer, rule) in before.items() if rule == "similar")
    decide(bank, days[2], joined, before[joined][0], "different")
    assert customers(bank, days[2])[joined][0] != before[joined][0]
    spells = read(linked(bank, days[2]), "party_key, customer_key, valid_from, valid_to")
    assert [row[1] for row in spells if row[0] == joined][-1] == joined  # split off, and dated
    assert [row[2] for row in spells if row[0] == joined][-1] == days[2]


def test_families_share_much_and_stay_apart(bank: Settings) -> None:
    day = LAST + timedelta(days=1)
    home = {"party_type": "P", "home_branch_code": "B0001", "opened_date": str(day)}
    home |= {
        "phone": "13712345678",
        "email": "famille@example.cn",
        "address": "上海市城东区人民路12号3栋401室",
        "city": "上海市",
    }
    deliver(
        bank,
        "customers",
        [
            home | {"customer_no": "F1", "name": "欧阳建国", "birth_date": "1970-05-01"},
            home | {"customer_no": "F2", "name": "欧阳晓雨", "birth_date": "2001-02-03"},  # twins
            home | {"customer_no": "F3", "name": "欧阳晓雪", "birth_date": "2001-02-03"},
            home | {"customer_no": "F4", "name": "鑫恒源餐饮有限公司", "party_type": "E", "owner_customer_no": "F1"},
            home | {"customer_no": "F5", "name": "歐陽建國", "birth_date": "1970-05-01", "phone": "", "email": ""},
        ],
        day,
    )
    online = {"registered_at": f"{day} 10:00:00", "platform": "app", "phone": home["phone"], "address": home["address"]}
    deliver(
        bank,
        "registrations",
        [
            online | {"user_id": "FU1", "name": "欧阳晓雪", "phone": "13799998888"},  # a changed phone
            online
            | {"user_id": "FU2", "birth_date": "1970-05-01", "name": "欧阳建国", "address": "北京市新城区中山路9号"},
            online | {"user_id": "FU3"},  # nobody knows whose: only what the family shares
        ],
        day,
    )
    customer_of = customers(bank, day)
    of = {key: customer_of[key][0] for key in customer_of if key.split(":")[1].startswith("F")}
    assert of == {
        "cif:F1": "cif:F1",
        "cif:F2": "cif:F2",
        "cif:F3": "cif:F3",
        "cif:F4": "cif:F4",
        "cif:F5": "cif:F1",
        "online:FU1": "cif:F3",
        "online:FU2": "cif:F1",
        "online:FU3": "online:FU3",
    }
    pairs = read(review_file(linked(bank, day)), "left_party_key, right_party_key, reason")
    assert ("cif:F1", "online:FU3", "only what a family shares speaks for it") in pairs


def test_namesakes_whose_mail_is_made_of_their_name_stay_apart(bank: Settings) -> None:
    """Name and the mail's first half say the same thing; a phone, as the third one has, says another."""
    day = LAST + timedelta(days=1)
    row = {"party_type": "P", "home_branch_code": "B0001", "opened_date": str(day), "name": "司徒镜澄"}
    deliver(
        bank,
        "customers",
        [
            row
            | {"customer_no": "N1", "birth_date": "1966-08-21", "email": "situjingcheng@a.cn", "phone": "13712340001"},
            row | {"customer_no": "N2", "birth_date": "2001-02-09", "email": "situjingcheng@b.cn"},
            row | {"customer_no": "N3", "birth_date": "1971-12-05", "phone": "13712340001"},
        ],
        day,
    )
    customer_of = customers(bank, day)
    assert {key: customer_of[key] for key in ("cif:N1", "cif:N2", "cif:N3")} == {
        "cif:N1": ("cif:N1", "self"),
        "cif:N2": ("cif:N2", "self"),
        "cif:N3": ("cif:N1", "similar, birth_date differs"),
    }


def test_records_that_cannot_support_a_model_are_joined_by_exact_evidence_only(settings: Settings) -> None:
    row = {"party_type": "P", "home_branch_code": "B1", "opened_date": "2024-01-01", "birth_date": "1980-01-01"}
    labels = [row | {"customer_no": f"C{n}", "name": f"Client {n}", "id_no": f"X{n % 299}"} for n in range(300)]
    deliver(settings, "customers", labels, LAST)
    customer_of = customers(settings, LAST)
    assert current_model(settings.lake) is None
    assert len({customer for customer, _ in customer_of.values()}) == 299
    assert customer_of["cif:C299"] == ("cif:C0", "id_token")


def test_a_retrained_model_takes_over_and_its_pages_explain_it(bank: Settings) -> None:
    before = customers(bank, LAST)
    model = retrain(bank, lake.pin(bank.lake, LAST))
    assert current_model(bank.lake).version == model.version == f"2-{LAST}-{lake.pin(bank.lake, LAST).hash}"
    after = customers(bank, LAST)
    assert sum(before[key][0] != after[key][0] for key in before) < 0.02 * len(before)
    frequencies = read(model.folder / "term_frequencies.parquet", "distinct column_name, length(token)")
    assert ("name", 64) in frequencies  # tokens, never names
    assert "vega" in match_weights(bank).lower()
    party = next(key for key, (_, rule) in after.items() if rule == "similar")
    why = waterfall(bank, party, after[party][0])
    assert "one customer" in why and "http" not in why
    with pytest.raises(Stop, match="cif:nobody is not known"):
        waterfall(bank, "cif:nobody", party)


def test_two_files_of_latin_names_and_a_truth_by_bare_numbers(tmp_path: Path) -> None:
    """Names in one column, addresses and dates: nothing else, and no key in common."""
    people = [
        (f"{given}{given_end} {family}{family_end}", f"19{10 + (n * 7) % 80}-{1 + n % 12:02}-{1 + n % 28:02}", n)
        for n, (given, given_end, family, family_end) in enumerate(
            (a, b, c, d)
            for a in ("mar", "jon", "kat", "pet", "sof", "luc")
            for b in ("ia", "athan", "arina")
            for c in ("nov", "har", "schm", "dub", "bren")
            for d in ("ak", "tley", "idt", "ois")
        )
    ]
    deployment = tmp_path / "parties.yml"
    deployment.write_text(
        "{name: x, currency: EUR, utc_offset: '+01:00', required: [customers], optional: [registrations]}"
    )
    settings = temporary_settings(tmp_path, deployment=deployment)
    files = {"customers": [], "registrations": [], "truth": []}
    for name, birth, n in people:
        street = f"{n * 13 % 397 + 1} {('oak', 'lane', 'mill', 'high')[n % 4]} terrace {n * 31 % 7000 + 1000}"
        files["customers"].append((f"a{n}", name, birth, street))
        typed = name.replace("n", "m", 1) if n % 4 == 0 else " ".join(reversed(name.split())) if n % 5 == 0 else name
        files["registrations"].append((f"b{n}", typed, "" if n % 7 == 0 else birth, street.replace("terrace", "tce")))
        files["truth"] += [(f"a{n}", n), (f"b{n}", n)]
    for name, rows in files.items():
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            header = ("record", "person") if name == "truth" else ("number", "name", "born", "street")
            csv.writer(file).writerows([header, *rows])
    shared = {"name": "name", "birth_date": "cast(born as date)", "address": "street"}
    customer = {
        "customer_no": "number",
        "party_type": "'P'",
        "home_branch_code": "'B1'",
        "opened_date": "date '2024-01-01'",
    }
    user = {"user_id": "number", "registered_at": "timestamp '2024-01-01'", "platform": "'web'"}
    for feed, columns in (("customers", customer), ("registrations", user)):
        file = tmp_path / f"{feed}.csv"
        adapted = csv_adapter.adapt(file, feed, columns | shared, date(2024, 1, 1), settings.landing)
        assert adapted.rows == len(people)
    quality = evaluate(settings, tmp_path / "truth.csv")
    assert current_model(settings.lake).columns == ("name", "birth_date", "address")
    assert quality["records"] == 2 * len(people)
    assert quality["pairs"]["f1"] > 0.95
    with pytest.raises(Stop, match="customers needs customer_no"):
        csv_adapter.adapt(tmp_path / "customers.csv", "customers", shared, date(2024, 1, 1), settings.landing)


def names_and_dates(folder: Path, rows: list[tuple[str, str, str, int]]) -> dict:
    """What becomes of a file of (number, name, birth date, person)."""
    deployment = folder / "parties.yml"
    deployment.write_text("{name: x, currency: EUR, utc_offset: '+01:00', required: [customers]}")
    settings = temporary_settings(folder, deployment=deployment)
    for name, header, places in (
        ("people", ("number", "name", "born"), (0, 1, 2)),
        ("truth", ("id", "person"), (0, 3)),
    ):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *([row[place] for place in places] for row in rows)])
    columns = {"customer_no": "number", "name": "name", "birth_date": "cast(born as date)", "party_type": "'P'"}
    columns |= {"home_branch_code": "'B1'", "opened_date": "date '2024-01-01'"}
    csv_adapter.adapt(folder / "people.csv", "customers", columns, date(2024, 1, 1), settings.landing)
    return evaluate(settings, folder / "truth.csv")


def people(count: int) -> list[tuple[str, str]]:
    """Names, of which some come twice, and birth dates."""
    chance = random.Random(5)
    given = [
        a + b for a in ("mar", "jon", "kat", "pet", "sof", "luc", "vik", "hel") for b in ("ia", "athan", "arina", "o")
    ]
    family = [
        a + b
        for a in ("nov", "hart", "schm", "dub", "bren", "wolk", "lind", "kess")
        for b in ("ak", "ley", "idt", "ois")
    ]
    first = date(1930, 1, 1)
    return [
        (f"{chance.choice(given)} {chance.choice(family)}", str(first + timedelta(chance.randrange(25_000))))
        for _ in range(count)
    ]


def test_names_and_dates_are_enough_even_if_no_two_records_agree_on_both(tmp_path: Path) -> None:
    rows = [(f"a{n}", name, born, n) for n, (name, born) in enumerate(people(600))]
    for n, (_, name, born, person) in enumerate(rows[:120]):
        slip = (name[:4] + "x" + name[4:], born) if n % 2 else (name, f"{born[:8]}{(int(born[8:]) + 10) % 28 + 1:02}")
        rows.append((f"b{n}", *slip, person))
    quality = names_and_dates(tmp_path, rows)
    assert quality["pairs"]["precision"] > 0.95 and quality["pairs"]["recall"] > 0.9


def test_a_file_without_any_double_has_nothing_to_learn_from(tmp_path: Path) -> None:
    rows = [(f"a{n}", f"{name} {n % 20 * 'i'}", born, n) for n, (name, born) in enumerate(people(600))]
    quality = names_and_dates(tmp_path, rows)
    assert quality["customers"] == 600


@pytest.mark.full
def test_damaged_records_are_still_recognised(tmp_path: Path) -> None:
    import simulator

    simulator.generate(2000, 3, 9, tmp_path, is_hard=True, only=("customers", "registrations", "social_leads", "cards"))
    quality = evaluate(temporary_settings(tmp_path), tmp_path / "truth")
    assert quality["pairs"]["f1"] > 0.9 and quality["clusters_of_two_persons"] == 0


def test_nothing_landed_is_said(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(Stop, match="no delivery in"):
        evaluate(settings, tmp_path)


def test_lake_keeps_no_name_beside_raw(bank: Settings) -> None:
    linked(bank, LAST)
    names = {
        name.encode() for (name,) in read(bank.lake / "raw/customers/*/*.parquet", "distinct name") if len(name) > 2
    }
    for path in (bank.lake / "identity").rglob("*.parquet"):
        texts = {str(value).encode() for row in read(path) for value in row}
        assert not names & texts
