"""The reports over what is published: the hand-over pack of a relationship manager, and survival curves."""

import csv
import json
import re
from collections import defaultdict
from datetime import date, timedelta

import numpy as np
import pytest
from rich.console import Console

from c360 import warehouse
from c360.customer import NoSuchCustomer, picture, picture_page, picture_text
from c360.handover import NoSuchManager, hand_over
from c360.settings import Settings
from c360.survival import curves_page, survival_curves
from tests.pipeline.bank import lines_of
from tests.pipeline.conftest import D3, Undisturbed


def test_the_hand_over_pack_is_what_the_bank_delivered(day_by_day: Undisturbed) -> None:
    landing = day_by_day.settings.landing
    links = warehouse.query_serving(day_by_day.settings, "select party_key, customer_key from marts.dim_party")
    customer_of = {row["party_key"]: row["customer_key"] for row in links.to_pylist()}
    assigned = list(csv.DictReader(lines_of(landing, "rm_assignments", str(D3)), delimiter="|"))
    today = defaultdict(set)
    for row in assigned:
        if not row["valid_to"] or row["valid_to"] >= str(D3):
            today[row["rm_id"]].add(customer_of[f"cif:{row['customer_no']}"])
    rm_id, customers = max(sorted(today.items()), key=lambda item: len(item[1]))
    contacts = defaultdict(list)
    for path in (landing / "rm_contacts").glob("*.dat"):
        with path.open(encoding="gb18030") as rows:
            for row in csv.DictReader(rows, delimiter="|"):
                contacts[customer_of[f"cif:{row['customer_no']}"]].append((row["contact_at"], row["outcome"]))
    pack = hand_over(day_by_day.settings, rm_id)
    assert {row["customer_key"] for row in pack["customers"]} == customers
    assert sum(bool(row["promises"]) for row in pack["customers"]) > 0
    for row in pack["customers"]:
        told = sorted(contacts[row["customer_key"]], reverse=True)
        outcomes = [outcome for _, outcome in told]
        answers = [place for place, outcome in enumerate(outcomes) if outcome in ("accepted", "refused")]
        assert len(row["promises"]) == outcomes[: min(answers, default=None)].count("promised")
        assert len(row["last_contacts"]) <= 3


def test_a_pack_shows_names_only_if_asked(day_by_day: Undisturbed) -> None:
    rm_id = lines_of(day_by_day.settings.landing, "rm_assignments", str(D3))[1].split("|")[1]
    pack = hand_over(day_by_day.settings, rm_id)
    assert all("name" not in customer for customer in pack["customers"])
    assert json.dumps(pack, default=str).isascii()
    assert all(customer["name"] for customer in hand_over(day_by_day.settings, rm_id, with_names=True)["customers"])


def test_a_pack_of_nobody_says_where_to_look(day_by_day: Undisturbed) -> None:
    with pytest.raises(NoSuchManager, match="marts.rm_assignment"):
        hand_over(day_by_day.settings, "nobody")


def test_survival_is_the_product_of_monthly_shares(day_by_day: Undisturbed) -> None:
    found = survival_curves(day_by_day.settings)
    stock = found["cohorts"][0]
    assert stock["cohort"].startswith("before")
    assert 0 < stock["lost"] < stock["customers"]
    for cohort in found["cohorts"]:
        rates = np.array([point["survival_rate"] for point in cohort["curve"]])
        at_risk = np.array([point["at_risk"] for point in cohort["curve"]])
        lost = at_risk * (1 - rates / np.concatenate([[1], rates[:-1]]))
        assert np.allclose(lost, lost.round(), atol=1e-6)  # every step is a whole number of customers
        assert lost.sum().round() == cohort["lost"]
        assert all(point["low"] <= point["survival_rate"] <= point["high"] for point in cohort["curve"])
    assert stock["cohort"] in curves_page(found)


def changed(settings: Settings, kind: str) -> set[tuple[str, date]]:
    told = warehouse.query_serving(
        settings, "select customer_key, change_date from marts.customer_changes where change_kind = $1", (kind,)
    )
    return {(row["customer_key"], row["change_date"]) for row in told.to_pylist()}


def test_first_complaints_are_those_of_the_files(day_by_day: Undisturbed) -> None:
    landing = day_by_day.settings.landing
    links = warehouse.query_serving(day_by_day.settings, "select party_key, customer_key from marts.dim_party")
    customer_of = {row["party_key"]: row["customer_key"] for row in links.to_pylist()}
    complaints = defaultdict(set)
    for path in (landing / "complaints").glob("*.dat"):
        with path.open(encoding="gb18030") as rows:
            for row in csv.DictReader(rows, delimiter="|"):
                day = date.fromisoformat(row["business_date"])
                complaints[customer_of[f"cif:{row['customer_no']}"]].add(day)
    year, shown = timedelta(days=365), D3 - timedelta(days=180)
    expected = {
        (key, day)
        for key, days in complaints.items()
        for day in days
        if day > shown and not any(day - year <= earlier < day for earlier in days)
    }
    assert changed(day_by_day.settings, "first_complaint") == expected != set()


def test_changes_are_told_in_both_languages_and_show_no_record(day_by_day: Undisturbed) -> None:
    rows = warehouse.query_serving(day_by_day.settings, "select * from marts.customer_changes").to_pylist()
    assert {"income_stopped", "logins_fell", "assets_fell", "maturity_near"} <= {row["change_kind"] for row in rows}
    for row in rows:
        assert row["sentence_en"].isascii() and not row["sentence_zh"].isascii()
        assert not re.search("[{}]", row["sentence_en"] + row["sentence_zh"])
    assert {row["sentence_en"] for row in rows if row["change_kind"] == "phone_changed"} <= {"The phone number changed"}


def test_one_customer_on_one_page(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    key = warehouse.query_serving(
        settings,
        "select customer_key from marts.customer_360 inner join marts.customer_changes using (customer_key) "
        "where churn_probability is not null order by party_count desc, customer_key limit 1",
    ).to_pylist()[0]["customer_key"]
    found = picture(settings, key)
    assert found["scores"]["churn"]["reasons"]
    assert all(found[part] for part in ("records", "holdings", "months", "stages", "flow", "changes", "journey"))
    assert picture(settings, found["records"][-1]["party_key"]) == found  # by any record of the customer
    page = picture_page(found)
    assert not re.findall(r"(?:src|href)=.http", page)
    assert found["changes"][0]["sentence_zh"] in page
    empty = (
        found | {name: [] for name, part in found.items() if isinstance(part, list)} | {"scores": {}, "runway": None}
    )
    assert "the models abstain" in picture_page(empty)
    console = Console(record=True, width=160)
    console.print(picture_text(found), picture_text(empty))
    assert found["changes"][0]["sentence_en"] in console.export_text()


def test_nobody_has_no_page_but_a_hint(day_by_day: Undisturbed) -> None:
    with pytest.raises(NoSuchCustomer, match="marts.dim_party"):
        picture(day_by_day.settings, "nobody")
