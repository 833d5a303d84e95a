"""A person is erased from lake and landing folder: no byte is left, nothing else changes, and nothing comes back."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from lakehouse import erasure, lake
from lakehouse.contracts import ACCOUNT_NUMBERS, CARD_NUMBERS, load_feeds
from lakehouse.erasure import erasing, journal
from lakehouse.errors import Stop
from lakehouse.identity import link
from lakehouse.ingestion import loading
from lakehouse.ingestion.rules import token_of
from lakehouse.intraday import batches
from lakehouse.lake import audit
from lakehouse.lake.erasures import (
    PSEUDONYM,
    ErasureKey,
    is_genuine,
    key_file,
    read_erasure,
    read_erasures,
    work_folder,
)
from lakehouse.lake.integrity import require_intact, verify
from lakehouse.lake.linked import beginning, linked
from lakehouse.lake.running import working
from lakehouse.settings import Settings
from tests.conftest import temporary_settings
from tests.lakehouse.erasure.bank import (
    ACCOUNT,
    DAY,
    EMAIL,
    FEEDS,
    KEY,
    LEAD,
    NAME,
    OTHER,
    PHONE,
    PII,
    SENTINELS,
    USER,
    columns,
    fill,
    found,
)  # fmt: skip
from tests.lakehouse.ingestion.bank import POSTING, Bank
from tests.pipeline.bank import send_events

END = date(2026, 12, 31)
STAFF = {  # personal, and of employees
    ("action_outcomes", "reported_by"), ("identity_decisions", "decided_by"), ("tag_definitions", "changed_by"),
    ("relationship_managers", "rm_name"),
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a person in every kind of file. To be copied."""
    bank = Bank(temporary_settings(tmp_path_factory.mktemp("made")))
    settings = bank.settings
    fill(bank)
    _ingest(bank)
    link(settings, lake.pin(settings.lake, END))
    views = settings.lake / "page_views" / DAY
    views.mkdir(parents=True)
    event = {"detail": f"asked for {NAME}", "customer_key": f"cif:{KEY}"}
    (views / "server.jsonl").write_text(linked(event, beginning("server.jsonl"))[0])
    (settings.lake / "runs" / "r").mkdir(parents=True)
    (settings.lake / "runs" / "r" / "build.json").write_text(json.dumps({"detail": NAME}))
    (settings.outbox / "crm").mkdir(parents=True)
    (settings.outbox / "crm" / "1.jsonl").write_text(json.dumps({"name": NAME}, ensure_ascii=False))
    return settings.lake.parent


@pytest.fixture
def bank(made: Path, tmp_path: Path) -> Bank:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Bank(temporary_settings(tmp_path))


def _ingest(bank: Bank) -> list[lake.Outcome]:
    return [outcome for feed in FEEDS for outcome in bank.ingest(feed)]


def _erase(bank: Bank, key: str = f"cif:{KEY}") -> erasing.Erasure:
    return erasure.erase_from_lake(bank.settings, key, "S0042", "asked for it", lambda _: None)


def test_the_audit_stays_whole_and_says_who_erased(bank: Bank) -> None:
    audit.seal(bank.settings.lake)
    done = _erase(bank)
    assert audit.verify(bank.settings.lake).is_whole
    replaced = {one["subject"]: one for one in audit.read(bank.settings.lake) if one["kind"] == "replaced"}
    assert {f"page_views/{DAY}/server.jsonl", "runs/r/build.json"} <= set(replaced)
    of_step = replaced["runs/r/build.json"]
    assert of_step["by"] == "S0042" and done.erasure_id in of_step["detail"]
    told = {one["detail"] for one in audit.read(bank.settings.lake) if one["subject"].startswith("deliveries/")}
    assert told >= {"people were erased from the delivery"} and "the delivery was taken in again" not in told


def test_what_was_wrong_before_is_not_made_good(bank: Bank) -> None:
    audit.seal(bank.settings.lake)
    (bank.settings.lake / "runs" / "r" / "build.json").write_text(json.dumps({"detail": f"{NAME} once more"}))
    _erase(bank)
    assert [broken.file for broken in audit.verify(bank.settings.lake).breaks] == ["runs/r/build.json"]


def _others(bank: Bank) -> dict[str, list[tuple]]:
    """What the lake has of everybody else, and of money."""
    hidden = "null as counterparty_account, null as counterparty_account_token, null as remark"
    postings = columns(bank.settings, "transactions", f"* replace ({hidden})")
    return {
        "customers": [row for row in columns(bank.settings, "customers", "*") if row[0] != KEY],
        "postings": [row for row in postings if row[1] != ACCOUNT and not row[1].startswith(PSEUDONYM)],
        "money": _sums(bank),
        "orders": [row for row in columns(bank.settings, "mall_orders", "order_id, user_id, amount") if row[1] != USER],
    }


def _sums(bank: Bank) -> list[tuple]:
    files = f"{bank.settings.lake}/raw"
    return duckdb.sql(
        f"select 'postings', direction, count(*), sum(amount) from read_parquet('{files}/transactions/*/*.parquet', "
        f"hive_partitioning = false) group by all union all select 'balances', '', count(*), sum(balance) "
        f"from read_parquet('{files}/balances/*/*.parquet', hive_partitioning = false) order by all"
    ).fetchall()


def test_no_byte_tells_of_the_person_and_nothing_else_changes(bank: Bank) -> None:
    settings = bank.settings
    before, people = _others(bank), _xref(settings)
    told = {line.split(": ")[1] for line in found(settings)}
    assert told == set(SENTINELS)  # the search finds what is there
    record = _erase(bank, f"online:{USER}")
    assert found(settings) == []
    assert _others(bank) == before
    link(settings, lake.pin(settings.lake, END))
    assert _xref(settings) == people
    assert not verify(settings).changed
    require_intact(settings, lake.pin(settings.lake, END))
    dropped = {
        Path(file.file).parts[1]: (file.rows_dropped, file.control_sums) for file in record.files if file.rows_dropped
    }
    assert dropped == {"app_events": (1, {}), "mall_orders": (1, {"amount": "12.50"})}
    outcomes = {outcome.feed: outcome for outcome in lake.read_outcomes(settings.lake)}
    assert all(
        one.rows_delivered == one.rows_loaded + one.rows_quarantined + one.rows_erased for one in outcomes.values()
    )
    assert (outcomes["mall_orders"].rows_loaded, outcomes["mall_orders"].rows_erased) == (1, 1)
    accounts = columns(settings, "accounts", "account_no_token")
    assert accounts == sorted({(token,) for (token,) in columns(settings, "balances", "account_no_token")})


def _xref(settings: Settings) -> list[dict]:
    return pq.read_table(max((settings.lake / "identity").glob("*.parquet"))).to_pylist()


def test_the_record_itself_tells_nothing_and_is_signed(bank: Bank) -> None:
    _erase(bank)
    (begun,) = read_erasures(bank.settings.lake)
    assert not begun.is_done
    signed = erasure.finish(bank.settings, begun, 7)
    assert read_erasure(bank.settings.lake, begun.erasure_id) == signed and is_genuine(signed)
    assert not is_genuine(replace(signed, reason="another"))
    assert not is_genuine(replace(signed, files=signed.files[1:]))
    text = (bank.settings.lake / "erasures" / f"{begun.erasure_id}.json").read_text()
    assert not [part for part in (KEY, USER, LEAD) if part in text]
    assert key_file(bank.settings.lake).stat().st_mode & 0o777 == 0o600
    assert not work_folder(bank.settings.lake).exists()


def test_an_old_file_that_lands_again_goes_and_is_not_taken(bank: Bank, tmp_path: Path) -> None:
    fill(other := Bank(bank.settings.model_copy(update={"landing": tmp_path / "kept" / "landing"})))
    _erase(bank)
    shutil.copytree(other.settings.landing, bank.settings.landing, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "kept")
    assert found(bank.settings)
    assert _ingest(bank) == []
    assert found(bank.settings) == []


@pytest.mark.parametrize("loss", ["lake lost", "new version"])
def test_what_comes_in_later_is_as_the_erasure_left_it(bank: Bank, loss: str) -> None:
    settings = bank.settings
    _erase(bank)
    left = {feed: columns(settings, feed, "*") for feed in FEEDS}
    if loss == "lake lost":
        for folder in ("raw", "quarantine", "deliveries"):
            shutil.rmtree(settings.lake / folder)
    fill(bank)
    if loss == "new version":
        for manifest in settings.landing.rglob("*_v1.manifest.json"):
            content = json.loads(manifest.read_text()) | {"version": 2}
            manifest.with_name(manifest.name.replace("_v1.", "_v2.")).write_text(json.dumps(content))
            manifest.unlink()
    outcomes = _ingest(bank)
    assert all(one.is_loaded and one.is_erased for one in outcomes) and len(outcomes) == len(FEEDS)
    assert all(one.rows_delivered == one.rows_loaded + one.rows_quarantined + one.rows_erased for one in outcomes)
    assert found(settings) == []
    times = 1 if loss == "lake lost" else 2
    for feed, rows in left.items():
        assert sorted(map(_without_file, columns(settings, feed, "*")), key=str) == sorted(
            times * [_without_file(row) for row in rows], key=str
        )


def _without_file(row: tuple) -> tuple:
    return row[:-3]  # _file, _row, _known_date


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("at", range(0, 60, 7))
def test_a_kill_at_any_moment_is_mended_by_the_next_call(bank: Bank, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    before, calls = _others(bank), iter(range(10_000))

    def killing(what: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if next(calls) == at:
                raise Killed
            return what(*arguments, **named)

        return call

    with monkeypatch.context() as patched:
        for owner, name in (
            *((Path, "replace"), (Path, "unlink"), (journal.os, "fsync"), (erasing.shutil, "rmtree")),
            *((erasing.warehouse, "drop_build"), (journal.lake, "write_outcome"), (erasing, "write_erasure")),
        ):
            patched.setattr(owner, name, killing(getattr(owner, name)))
        with suppress(Killed):
            _erase(bank)
    if work_folder(bank.settings.lake).exists():
        with pytest.raises(Stop, match="cut short"):
            require_intact(bank.settings, lake.pin(bank.settings.lake, END))
    _erase(bank)
    assert found(bank.settings) == []
    assert _others(bank) == before
    assert not (verify(bank.settings).changed or verify(bank.settings).lost)
    (record,) = read_erasures(bank.settings.lake)
    assert sum(file.rows_dropped for file in record.files) == 2
    assert [one.rows_erased for one in lake.read_outcomes(bank.settings.lake, "mall_orders")] == [1]


def test_it_is_refused(bank: Bank) -> None:
    settings = bank.settings
    with pytest.raises(Stop, match="--by and --reason"):
        erasure.erase_from_lake(settings, f"cif:{KEY}", " ", "asked", lambda _: None)
    with pytest.raises(Stop, match="no record has this key"):
        _erase(bank, "cif:nobody")
    with pytest.raises(Stop, match="an account that is not closed"):
        _erase(bank, "cif:C1")
    with working(settings.lake, "build"), pytest.raises(Stop, match="build is at work"):
        _erase(bank)
    settings = settings.model_copy(update={"legal_holds": settings.lake.parent / "legal_holds.csv"})
    settings.legal_holds.write_text(f"party_key,until,basis\nonline:{USER},2027-01-01,a court\n")
    with pytest.raises(Stop, match=r"a legal hold \(legal_holds.csv, row 2\)"):
        erasure.erase_from_lake(settings, f"cif:{KEY}", "S1", "asked", lambda _: None)
    settings.legal_holds.write_text(f"party_key,until,basis\nonline:{USER},soon,a court\n")
    with pytest.raises(Stop, match="row 2: column until"):
        erasure.erase_from_lake(settings, f"cif:{KEY}", "S1", "asked", lambda _: None)
    assert read_erasures(settings.lake) == []
    assert {line.split(": ")[1] for line in found(settings)} == set(SENTINELS)


def test_a_dry_run_says_what_would_go_and_writes_nothing(bank: Bank) -> None:
    plan = erasure.look_at(bank.settings, f"lead:{LEAD}")
    assert plan.records == (f"cif:{KEY}", f"lead:{LEAD}", f"online:{USER}")
    assert plan.held == ()
    assert plan.rows == {
        "accounts": 1, "app_events": 1, "balances": 1, "cards": 1, "customers": 1, "mall_orders": 1,
        "registrations": 1, "social_leads": 1, "transactions": 2,
    }  # fmt: skip
    assert plan.rules["app_events"].startswith("rows go: ")
    assert read_erasures(bank.settings.lake) == []


@pytest.mark.faults("secret", store="lake")
def test_without_the_key_nobody_could_be_recognised(bank: Bank) -> None:
    _erase(bank)
    key_file(bank.settings.lake).unlink()
    with pytest.raises(Stop, match="could not be recognised"):
        ErasureKey.of(bank.settings.lake)
    bank.deliver("customers", [OTHER], version=2)
    with pytest.raises(Stop, match="could not be recognised"):
        bank.ingest("customers")


@pytest.mark.parametrize(("feed", "column"), PII, ids=[f"{feed}-{column.name}" for feed, column in PII])
def test_every_personal_column_has_its_rule(feed: str, column: object) -> None:
    """A contract that gets a personal column has to say what an erasure makes of it."""
    rule = load_feeds()[feed].erasure
    assert rule, f"{feed} has the personal column {column.name} and says nothing of erasure"
    is_covered = rule.drops_rows or column.name in (*rule.blank, *rule.texts, *ACCOUNT_NUMBERS, *CARD_NUMBERS)
    assert is_covered or (feed, column.name) in STAFF


def test_the_files_of_a_proof_are_looked_through(bank: Bank) -> None:
    """A planted token, number or row is found; what the erasure has left is not."""
    settings = bank.settings
    token = token_of(settings.token_secret, "customers", "phone", PHONE)
    record = erasure.finish(settings, _erase(bank), 7)
    looked = erasure.look_through(settings, record)
    assert (looked.left, looked.has_tokens) == ((), True)
    assert looked.looked_at > 5 and looked.gone > 5
    kept = settings.lake / "runs" / "r" / "build.json"
    told = kept.read_text()
    number = "a number or an address"
    for planted, what in ((f"by {token}", "a token"), (f"called {PHONE}", number), (EMAIL, number)):
        kept.write_text(told.replace("[erased]", planted))
        left = erasure.look_through(settings, record).left
        assert [(one.file, one.what) for one in left] == [("runs/r/build.json", what)]
    kept.write_text(told)
    (raw,) = (settings.lake / "raw" / "customers").rglob("*.parquet")
    duckdb.sql(
        f"copy (select * replace (case when customer_no = '{KEY}' then 'Li' else name end as name) "
        f"from read_parquet('{raw}', hive_partitioning = false)) to '{raw}.new' (format parquet)"
    )
    Path(f"{raw}.new").replace(raw)
    assert [one.what for one in erasure.look_through(settings, record).left] == ["1 rows of the person"]


def test_an_event_within_the_day_of_somebody_who_was_erased_is_dropped_and_counted(bank: Bank) -> None:
    settings = bank.settings
    _erase(bank)
    event = {**POSTING, "event_at": f"{DAY} 11:00:00", "business_date": DAY, "amount": 2.5}
    event = {name: value for name, value in event.items() if value != ""}
    rows = [
        event | {"txn_id": "E1", "account_no": ACCOUNT},
        event | {"txn_id": "E2", "counterparty_account": ACCOUNT, "remark": NAME},
        event | {"txn_id": "E3"},
        event | {"txn_id": "E4", "account_no": ACCOUNT, "amount": -1},
        event | {"txn_id": "E5", "amount": -1, "counterparty_account": ACCOUNT},
    ]
    send_events(settings.landing, "one", *rows)
    with loading.connection(settings) as con:
        took = batches.take(settings, con, "transactions", 1, datetime(2026, 1, 5, 12))
    assert (took.event_count, took.refused_count, took.erased_count) == (2, 1, 2)
    kept = pq.read_table(took.path, partitioning=None).to_pylist()
    assert [row["txn_id"] for row in kept] == ["E2", "E3"]
    assert [row["counterparty_account_token"] for row in kept] == [None, None]
    assert found(settings, (ACCOUNT, NAME)) == []
