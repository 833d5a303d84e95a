"""The gate landing -> raw, on real outcome records and Parquet files in a lake of each test."""

import re
from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from expectations.checkpoint import SUITES, load_suite
from expectations.gates import GateFailed, check_raw
from lakehouse import lake
from lakehouse.contracts import load_feeds
from lakehouse.lake import Outcome
from lakehouse.settings import Settings
from tests.conftest import SECRET

DAY = date(2026, 1, 9)
CHANNELS = ("branch", "reference")


@pytest.fixture
def settings(tmp_path) -> Settings:
    deployment = tmp_path / "deployment.yml"
    deployment.write_text(
        "name: test\ncurrency: CNY\nutc_offset: '+08:00'\nrequired: [accounts]\noptional: [complaints]\n"
    )
    return Settings.from_env(lake=tmp_path / "lake", deployment=deployment, token_secret=SECRET)


def deliver(settings: Settings, feed: str, day: date, rows: int = 200, empty: tuple[str, ...] = (), **changes) -> None:
    """Put one loaded delivery of ``rows`` rows into the lake; ``changes`` are fields of its outcome record."""
    contract = load_feeds()[feed]
    outcome = Outcome(
        feed=feed, channel=contract.channel, period=str(day), version=1, load="daily",
        source_hash=f"{day:%Y%m%d}".ljust(64, "0"), cutoff_date=day, outcome="loaded", reason=None,
        rows_delivered=rows, rows_loaded=rows, rows_quarantined=0, min_business_date=day, max_business_date=day,
        late_rows=0, lake_file=f"raw/{feed}/period={day}/v1.parquet", quarantine_file=None, files=("test.dat",),
    )  # fmt: skip
    outcome = replace(outcome, **changes)
    if outcome.lake_file:
        values = {name: [None if name in empty else "1"] * rows for name, _ in contract.lake_columns}
        path = settings.lake / outcome.lake_file
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({name: pa.array(value, pa.string()) for name, value in values.items()}), path)
    lake.write_outcome(settings.lake, outcome)


def history(settings: Settings, days: int = 8) -> None:
    for back in range(days, 0, -1):
        deliver(settings, "accounts", DAY - timedelta(days=back))


def gate(settings: Settings):
    return check_raw(settings, lake.pin(settings.lake, DAY), CHANNELS)


def test_a_good_day_passes_and_leaves_data_docs(settings):
    history(settings)
    deliver(settings, "accounts", DAY)
    result = gate(settings)
    assert result.findings == ()
    assert result.checks == sum(len(load_suite(path.stem).expectations) for path in SUITES.glob("raw_*.yml"))
    page = result.docs.read_text()
    pages = re.findall('href="([^"]+)">raw deliveries<', page)
    assert len(pages) == 1 and (result.docs.parent / pages[0]).is_file()
    assert "none" in page and "http" not in page  # it is whole without the internet


def test_the_overview_names_what_was_not_met(settings):
    history(settings)
    deliver(settings, "accounts", DAY, rows_loaded=190)
    with pytest.raises(GateFailed):
        gate(settings)
    page = (settings.lake.parent / "data_docs" / "index.html").read_text()
    assert re.search(f'<td class="d">{DAY}</td>.*raw deliveries.*critical: rows_delivered and rows_accounted', page)


def test_the_pages_are_in_both_languages_and_lead_to_each_other(settings):
    history(settings)
    deliver(settings, "accounts", DAY, rows_loaded=190)
    with pytest.raises(GateFailed):
        gate(settings)
    docs = settings.lake.parent / "data_docs"
    index = (docs / "index_zh.html").read_text()
    assert 'href="index.html"' in index and 'href="index_zh.html"' in (docs / "index.html").read_text()
    (place,) = re.findall('href="([^"]+raw_deliveries[^"]+)"', index)
    assert place.endswith("_zh.html")
    page = (docs / place).read_text()
    heads = re.findall(r"<(?:h1|th|title|span)[^>]*>([^<]+)<", index + page)
    assert len(heads) > 10
    assert [head for head in heads if not re.search(r"[一-鿿]|^[\d-]+$", head)] == []
    assert "停止当日" in page and "请保留文件" in page
    assert not re.search("What to do|>none<|>met<", page)
    for path in SUITES.glob("*.yml"):
        for one in load_suite(path.stem).expectations:
            assert all(re.search(r"[一-鿿]", one.meta[name]) for name in ("why_zh", "what_to_do_zh")), path.stem


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows_loaded": 190}, ("rows_delivered and rows_accounted", "rows_accounted = 190")),
        ({"rows_loaded": 150, "rows_quarantined": 50}, ("rejects_over_limit", "rejects_over_limit = 4")),
        ({"max_business_date": DAY + timedelta(days=1)}, ("days_after_cutoff", "= 1")),
        ({"empty": ("closed_date",)}, ("null_share_increase", "closed_date")),
    ],
)
def test_a_bad_delivery_fails_and_the_message_names_it(settings, changes, words):
    history(settings)
    deliver(settings, "accounts", DAY, **changes)
    with pytest.raises(GateFailed) as failure:
        gate(settings)
    for word in ("accounts/2026-01-09/v1", "What to do", *words):
        assert word in str(failure.value)
    assert failure.value.result.docs.exists()


def test_a_required_feed_whose_delivery_was_rejected_fails(settings):
    history(settings)
    deliver(settings, "accounts", DAY, outcome="rejected", reason="truncated", rows_loaded=0, lake_file=None)
    with pytest.raises(GateFailed, match=r"rejected_deliveries was not met.*accounts"):
        gate(settings)


def test_a_required_feed_that_went_quiet_fails(settings):
    deliver(settings, "accounts", DAY - timedelta(days=3))
    with pytest.raises(GateFailed, match=r"days_over_latency was not met.*accounts"):
        gate(settings)


def test_an_optional_feed_only_warns(settings):
    history(settings)
    deliver(settings, "accounts", DAY)
    deliver(settings, "complaints", DAY - timedelta(days=4), rows=3)
    deliver(settings, "complaints", DAY, outcome="rejected", reason="truncated", rows_loaded=0, lake_file=None)
    warnings = {finding.subject: finding for finding in gate(settings).warnings}
    assert set(warnings) == {"days_over_latency", "rejected_deliveries"}
    assert "complaints" in warnings["rejected_deliveries"].observed


@pytest.mark.parametrize(("feed", "is_required"), [("accounts", True), ("complaints", False)])
def test_a_day_that_is_missing_between_others_is_named(settings, feed, is_required):
    other = {"accounts": "complaints", "complaints": "accounts"}[feed]
    for back in range(4, -1, -1):
        deliver(settings, other, DAY - timedelta(days=back))
        if back != 2:
            deliver(settings, feed, DAY - timedelta(days=back))
    if is_required:
        with pytest.raises(GateFailed, match=r"missing_periods was not met.*accounts.*missing_periods = 1"):
            gate(settings)
    else:
        (warning,) = gate(settings).warnings
        assert warning.subject == "missing_periods" and "complaints" in warning.observed


def test_a_month_of_the_initial_load_that_is_missing_is_named(settings):
    for feed, months in (("complaints", "456789"), ("accounts", "45789")):
        for month in months:
            end = date(2025, int(month) + 1, 1) - timedelta(days=1)
            deliver(settings, feed, end, period=f"2025-0{month}", load="initial")
    with pytest.raises(GateFailed, match=r"missing_periods was not met.*accounts.*missing_periods = 1"):
        check_raw(settings, lake.pin(settings.lake, date(2025, 9, 30)), CHANNELS)


def test_an_unusual_volume_only_warns(settings):
    history(settings)
    deliver(settings, "accounts", DAY, rows=20)
    (warning,) = gate(settings).warnings
    assert warning.subject == "volume_ratio" and "0.1" in warning.observed


def test_a_warning_appears_on_the_day_of_the_delivery_only(settings):
    history(settings)
    deliver(settings, "accounts", DAY, rows_loaded=199, rows_quarantined=1)
    deliver(settings, "accounts", DAY + timedelta(days=1))
    (warning,) = gate(settings).warnings
    assert warning.subject == "rows_quarantined"
    assert check_raw(settings, lake.pin(settings.lake, DAY + timedelta(days=1)), CHANNELS).findings == ()


def test_a_new_version_stands_in_for_a_rejected_one(settings):
    history(settings)
    deliver(settings, "accounts", DAY, outcome="rejected", reason="truncated", rows_loaded=0, lake_file=None)
    deliver(settings, "accounts", DAY, version=2, source_hash="f" * 64)
    assert gate(settings).findings == ()


def test_what_lies_behind_a_week_is_not_looked_at_again(settings):
    history(settings)
    deliver(settings, "accounts", DAY - timedelta(days=30), rows_loaded=1)
    deliver(settings, "accounts", DAY)
    assert gate(settings).findings == ()
