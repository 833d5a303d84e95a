"""The reports over what is published: the hand-over pack of a relationship manager, and survival curves."""

import csv
import html
import json
import re
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby, pairwise

import numpy as np
import pytest
from rich.console import Console

from c360.cli.output import json_of
from c360.reports import customer, forecast, handover, segments, survival
from lakehouse import warehouse
from lakehouse.language import LANGUAGES
from lakehouse.settings import PROJECT, Settings
from ml_jobs.derived.change_points import PENALTY, noise
from tests.pipeline.bank import lines_of
from tests.pipeline.conftest import D3, LAST_OF_HISTORY, Undisturbed


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
    pack = handover.read(day_by_day.settings, rm_id)
    stages = "select customer_key from marts.customer_360 where life_cycle_stage = 'lost'"
    lost = {row["customer_key"] for row in warehouse.query_serving(day_by_day.settings, stages).to_pylist()}
    assert {handed.facts["customer_key"] for handed in pack.customers} == customers - lost
    assert sum(bool(handed.promises) for handed in pack.customers) > 0
    for handed in pack.customers:
        newest_first = sorted(contacts[handed.facts["customer_key"]], reverse=True)
        outcomes = [outcome for _, outcome in newest_first]
        answers = [place for place, outcome in enumerate(outcomes) if outcome in ("accepted", "refused")]
        assert len(handed.promises) == outcomes[: min(answers, default=None)].count("promised")
        assert len(handed.last_contacts) <= 3


def test_a_pack_shows_names_only_if_asked(day_by_day: Undisturbed) -> None:
    rm_id = lines_of(day_by_day.settings.landing, "rm_assignments", str(D3))[1].split("|")[1]
    pack = handover.read(day_by_day.settings, rm_id)
    assert all("name" not in handed for handed in json.loads(json_of(pack))["customers"])
    named = handover.read(day_by_day.settings, rm_id, with_names=True)
    names = [handed["name"] for handed in json.loads(json_of(named))["customers"]]
    assert names and all(names)
    assert not [name for name in names for text in (json_of(pack), handover.page(pack)) if name in text]
    assert named.customers[0].facts["name"] in handover.page(named)


def test_a_pack_of_nobody_says_where_to_look(day_by_day: Undisturbed) -> None:
    with pytest.raises(handover.NoSuchManager, match=r"marts.rm_assignment"):
        handover.read(day_by_day.settings, "nobody")


def test_survival_is_the_product_of_monthly_shares(day_by_day: Undisturbed) -> None:
    report = survival.read(day_by_day.settings)
    stock = report.cohorts[0]
    assert stock.cohort.startswith("before")
    assert 0 < stock.lost < stock.customers
    for cohort in report.cohorts:
        rates = np.array([point.survival_rate for point in cohort.curve])
        at_risk = np.array([point.at_risk for point in cohort.curve])
        lost = at_risk * (1 - rates / np.concatenate([[1], rates[:-1]]))
        assert np.allclose(lost, lost.round(), atol=1e-6)  # every step is a whole number of customers
        assert lost.sum().round() == cohort.lost
        assert all(point.low <= point.survival_rate <= point.high for point in cohort.curve)
    assert stock.cohort in survival.page(report)


def changed(settings: Settings, kind: str) -> set[tuple[str, date]]:
    changes = warehouse.query_serving(
        settings, "select customer_key, change_date from marts.customer_changes where change_kind = $1", (kind,)
    )
    return {(row["customer_key"], row["change_date"]) for row in changes.to_pylist()}


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


def levels_of(amounts: list[float]) -> list[tuple[int, float]]:
    """(place, level) of the partition that costs least, by trying every beginning of the last level."""
    values = np.array(amounts) / noise(amounts)
    best: list[tuple[float, list[int]]] = [(0.0, [])]
    for end in range(1, len(values) + 1):
        tried = [
            (cost + ((values[start:end] - values[start:end].mean()) ** 2).sum() + PENALTY, [*starts, start])
            for start, (cost, starts) in enumerate(best)
        ]
        best.append(min(tried))
    starts = best[-1][1]
    return [(start, float(np.mean(amounts[start:end]))) for start, end in pairwise([*starts, len(values)])]


def test_assets_that_changed_are_those_of_the_month_ends(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    with (PROJECT / "dbt_project" / "seeds" / "change_thresholds.csv").open() as rows:
        limits = [row for row in csv.DictReader(rows) if row["change_kind"].startswith("assets_")]
    months = warehouse.query_serving(
        settings,
        "select customer_key, as_of_date, aum_amount, now.party_type, now.star_tier from marts.customer_360_monthly "
        "join (select customer_key, party_type, star_tier from marts.customer_360) as now using (customer_key) "
        "order by customer_key, as_of_date",
    ).to_pylist()
    expected = set()
    for key, rows in groupby(months, lambda row: row["customer_key"]):
        series = list(rows)
        amounts = [float(row["aum_amount"]) for row in series]
        if len(series) < 5 or not any(amounts):
            continue
        levels, usual, last = levels_of(amounts), None, {}
        for (start, level), (end, _) in pairwise([*levels, (len(series), 0.0)]):
            kind = "assets_fell" if usual is not None and level < usual else "assets_rose"
            (limit,) = (
                row
                for row in limits
                if (row["change_kind"], row["party_type"]) == (kind, series[0]["party_type"] or "P")
                and int(row["lowest_star_tier"]) <= series[0]["star_tier"] <= int(row["highest_star_tier"])
            )
            day = series[start]["as_of_date"]
            least = max(float(limit["minimum_amount"]), float(limit["minimum_rate"]) * (usual or 0))
            sign = -1 if kind == "assets_fell" else 1
            if (
                usual is not None
                and sign * (level - usual) >= least
                and sign * (amounts[start] - usual) >= least  # the sentence names the assets of that day
                and day > D3 - timedelta(days=280)
            ):
                if day > D3 - timedelta(days=180) and (kind not in last or day - last[kind] > timedelta(days=100)):
                    expected.add((key, day, kind))
                last[kind] = day
            usual = level if end - start >= 2 else usual
    published = {(key, day, kind) for kind in ("assets_fell", "assets_rose") for key, day in changed(settings, kind)}
    assert published == expected
    assert {kind for *_, kind in published} == {"assets_fell", "assets_rose"}


def test_changes_are_worded_in_both_languages_and_show_no_record(day_by_day: Undisturbed) -> None:
    rows = warehouse.query_serving(day_by_day.settings, "select * from marts.customer_changes").to_pylist()
    assert {"new_counterparty_type", "first_complaint", "assets_fell", "maturity_near"} <= {
        row["change_kind"] for row in rows
    }
    for row in rows:
        assert row["sentence_en"].isascii() and not row["sentence_zh"].isascii()
        assert not re.search("[{}]", row["sentence_en"] + row["sentence_zh"])
    for row in rows:
        if row["change_kind"] == "phone_changed":
            assert row["sentence_en"] == f"The phone number changed on {row['change_date']}"


def test_one_customer_on_one_page(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    key = warehouse.query_serving(
        settings,
        "select customer_key from marts.customer_360 inner join marts.customer_changes using (customer_key) "
        "where churn_probability is not null order by party_count desc, customer_key limit 1",
    ).to_pylist()[0]["customer_key"]
    report = customer.read(settings, key)
    assert any(score["task"] == "churn" and score["reason_en"] for score in report.scores)
    assert all((report.records, report.holdings, report.months, report.stages, report.flow))
    assert all((report.changes, report.journey))
    assert customer.read(settings, report.records[-1]["party_key"]) == report  # by any record of the customer
    page = customer.page(report)
    assert not re.findall(r"(?:src|href)=.http", page)
    for language in LANGUAGES:  # figures and dates stand in elements of their own, which keep them on one line
        shown = html.unescape(re.sub(r"<[^>]+>", "", customer.page(report, language)))
        assert report.changes[0][f"sentence_{language}"].replace("CNY", {"en": "CNY", "zh": "元"}[language]) in shown
    lists = {name: [] for name, part in vars(report).items() if isinstance(part, list)}
    empty = replace(report, **lists, runway=None)
    assert "the models abstain" in customer.page(empty)
    console = Console(record=True, width=160)
    console.print(*customer.tables(report), *customer.tables(empty))
    assert report.changes[0]["sentence_en"] in console.export_text()


def test_the_long_tail_is_shown_in_groups_of_all_its_customers(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    report = segments.read(settings)
    profiles = [group.profile for group in report.groups]
    (tail,) = warehouse.query_serving(
        settings,
        "select count(*) as customers, cast(sum(aum_amount) as decimal(38,2)) as amount "
        "from features.customer_features where has_rm = 0 and as_of_date = $1 and customer_key not in "
        "(select customer_key from features.refused_purposes where purpose = 'profiling' and as_of_date = $1)",
        [D3],
    ).to_pylist()
    assert 5 <= len(profiles) <= 8
    assert sum(profile["customer_count"] for profile in profiles) == tail["customers"]
    assert abs(sum(profile["aum_amount"] for profile in profiles) - tail["amount"]) <= 1
    assert len({profile["segment_name_zh"] for profile in profiles}) == len(profiles)
    for group in report.groups:
        assert group.profile["churn_probability"] > 0
        assert group.profile["model_version"].startswith(str(LAST_OF_HISTORY))
        known = [month for month in group.months if month["churn_rate"] is not None]
        assert any(month["churn_rate_low"] <= month["churn_rate"] <= month["churn_rate_high"] for month in known)
        assert all(option["answer_count"] <= option["touch_count"] for option in group.responses)
    moved = warehouse.query_serving(
        settings, "select count(*) as n from scores.customer_segments where segment_id <> previous_segment_id"
    ).to_pylist()
    assert moved[0]["n"] < 0.1 * tail["customers"]
    page = segments.page(report)
    assert page.count("<svg") == len(profiles) and profiles[0]["segment_name_en"] in page
    assert profiles[0]["segment_name_zh"] in segments.page(report, "zh")
    assert not re.findall(r"(?:src|href)=.http", page)
    console = Console(record=True, width=200)
    console.print(*segments.tables(report))
    assert profiles[-1]["segment_name_en"] in console.export_text()
    assert "<h1>" in segments.page(replace(report, groups=[], stability=[]))


def test_forecasts_add_up_and_start_from_the_balances_of_the_bank(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    report = forecast.read(settings, {"mmf_yield": 0.5})
    week = D3 - timedelta(days=(D3.weekday() + 1) % 7)
    assert report.as_of_date == week
    balances = warehouse.query_serving(
        settings,
        "select sum(balance_amount) + coalesce((select sum(break_amount) from marts.balance_breaks "
        "where explanation is not null and business_date <= $1), 0) as amount "
        "from marts.balances_daily_dense inner join marts.dim_account using (account_no_token) "
        "where business_date = $1 and product_family not in ('loan', 'card')",
        [week],
    ).to_pylist()
    (shown,) = (row for row in report.history if row["measure"] == "deposit" and row["week_end_date"] == week)
    assert shown["amount"] == balances[0]["amount"]
    sums = defaultdict(lambda: defaultdict(Decimal))
    for row in report.forecasts:
        sums[row["measure"], row["week_end_date"]][row["series_level"]] += row["mean_amount"]
    assert len(sums) == 3 * 13
    assert all(len(levels) == 4 and len(set(levels.values())) == 1 for levels in sums.values())
    assert {row["series_level"] for row in report.accuracy} == {"bank", "family", "branch", "branch_family"}
    assert len(report.accuracy) == 3 * 4 * 3  # measures, levels, groups of weeks ahead
    for row in report.accuracy:
        assert row["skill_low"] <= row["skill"] <= row["skill_high"]
        assert row["skill"] > 0 or row["model"] == row["baseline"]
        holds = row["interval_origin_count"] >= 26 and 0.7 <= row["coverage_80"] <= 0.9
        assert (row["interval_status"] in ("holds", "holds_80_only")) == holds
        sentences = [
            row[f"{about}_sentence_{language}"] for about in ("skill", "interval") for language in ("en", "zh")
        ]
        assert all(sentences) and not any("{" in sentence for sentence in sentences)
    for row in report.forecasts:
        assert (row["lower_80_amount"] is None) == (row["interval_status"] not in ("holds", "holds_80_only"))
    assert {(effect.measure, effect.is_identified) for effect in report.what_if} >= {("outflow", False)}
    page = forecast.page(report)
    assert page.count("<svg") == 3 and "What if mmf yield moved by +0.50 points" in page
    assert re.search(r"In 13 weeks: CNY [\d.,]+ (thousand|million)", page)
    assert "13 周后：" in forecast.page(report, "zh")
    console = Console(record=True, width=200)
    console.print(*forecast.tables(report))
    assert "no effect that can be told from chance" in console.export_text()
    nothing = forecast.ForecastReport(as_of_date=None, forecasts=[], accuracy=[], history=[], what_if=[])
    assert "<svg" not in forecast.page(nothing) and len(forecast.tables(nothing)) == 2


def test_nobody_has_no_page_but_a_hint(day_by_day: Undisturbed) -> None:
    with pytest.raises(customer.NoSuchCustomer, match=r"marts.dim_party"):
        customer.read(day_by_day.settings, "nobody")
