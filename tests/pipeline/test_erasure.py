"""A person is erased from a whole bank: no byte is left in any folder, readers see the same money, and it stays so."""

import gzip
import hashlib
import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from c360 import erasure, pipeline
from c360.recovery import recover
from lakehouse import warehouse
from lakehouse.backup.taking import back_up
from lakehouse.contracts import load_feeds
from lakehouse.lake.erasures import is_genuine
from lakehouse.settings import Settings
from tests.lakehouse.erasure.bank import ACCOUNT, CARD, DOCUMENT, EMAIL, NAME, PHONE, SENTINELS, found
from tests.pipeline.bank import copy_of
from tests.pipeline.conftest import D1, LAST_OF_HISTORY

SESSION = "session-77-of-a-device"
KEY, USER = "C99999", "U99999"
ABSENT = ("Sentinel Quux",)  # a name that only the small bank has


def plant(landing: Path, day: date) -> None:
    """Add a person to the deliveries of a day, with a closed account that has postings and a balance."""
    home = _first(landing, "customers", day)["home_branch_code"]
    person = {"customer_no": KEY, "business_date": day, "party_type": "P", "name": NAME, "birth_date": "1977-07-07"}
    person |= {"id_type": "ID", "id_no": DOCUMENT, "phone": PHONE, "email": EMAIL, "address": "哨兵路 77 号"}
    person |= {"home_branch_code": home, "opened_date": day, "risk_rating": "R2", "gender": "F"}
    add(landing, "customers", day, [person])
    account = {"account_no": ACCOUNT, "business_date": day, "customer_no": KEY, "currency": "CNY", "status": "closed"}
    account |= {"product_code": _first(landing, "accounts", day)["product_code"], "branch_code": home}
    add(landing, "accounts", day, [account | {"opened_date": day, "closed_date": day}])
    posting = {"account_no": ACCOUNT, "business_date": day, "txn_at": f"{day} 10:00:00", "amount": "77.00"}
    posting |= {"channel": "mobile", "remark": f"给 {NAME}"}
    pair = [
        posting | {"txn_id": f"T-S-{way}", "direction": way, "txn_type": kind}
        for way, kind in (("C", "cash"), ("D", "cash"))
    ]
    add(landing, "transactions", day, pair)
    add(landing, "balances", day, [{"account_no": ACCOUNT, "business_date": day, "balance": "0.00", "currency": "CNY"}])
    registration = {"user_id": USER, "business_date": str(day), "registered_at": f"{day} 08:00:00", "platform": "app"}
    registration |= {"name": NAME, "phone": PHONE, "email": EMAIL, "id_no": DOCUMENT, "bound_card_no": CARD}
    add(landing, "registrations", day, [registration])
    event = {"event_id": "E-S", "business_date": str(day), "user_id": USER, "session_id": SESSION, "platform": "app"}
    add(landing, "app_events", day, [event | {"event_at": f"{day} 09:00:00", "event_name": "login"}])


def add(landing: Path, feed: str, day: date, rows: list[dict]) -> None:
    """Add rows to a day's delivery, and tell its manifest."""
    contract, stem = load_feeds()[feed], landing / feed / f"{feed}_{day}_v1"
    manifest = json.loads(stem.with_name(f"{stem.name}.manifest.json").read_text())
    path = landing / feed / manifest["files"][0]["name"]
    if contract.format == "delimited":
        names = [column.name for column in contract.columns]
        lines = [contract.delimiter.join(str(row.get(name, "")) for name in names) for row in rows]
        data = path.read_bytes() + "".join(f"{line}\n" for line in lines).encode(contract.encoding)
    else:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        data = gzip.compress(gzip.decompress(path.read_bytes()) + "".join(f"{line}\n" for line in lines).encode())
    path.write_bytes(data)
    manifest["row_count"] += len(rows)
    for name, stated in manifest["control_sums"].items():
        manifest["control_sums"][name] = f"{float(stated) + sum(float(row[name]) for row in rows):.2f}"
    manifest["files"][0] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    stem.with_name(f"{stem.name}.manifest.json").write_text(json.dumps(manifest))


def _first(landing: Path, feed: str, day: date) -> dict[str, str]:
    """A row that the feed has delivered by the day."""
    contract = load_feeds()[feed]
    for path in sorted((landing / feed).glob("*.dat"), reverse=True):
        header, *rows = path.read_text(contract.encoding).splitlines()
        if rows and path.name <= f"{feed}_{day}_v1.dat":
            return dict(zip(header.split(contract.delimiter), rows[0].split(contract.delimiter), strict=True))
    raise AssertionError(f"{feed} has no row")


def money(settings: Settings) -> list[dict]:
    """Postings by branch and day, balances by branch, and what is known of everybody else."""
    return warehouse.query_serving(
        settings,
        "select branch_code, business_date, direction, count(*) as postings, sum(amount) as amount "
        "from marts.fct_transactions inner join marts.dim_account using (account_no_token) "
        "group by branch_code, business_date, direction order by branch_code, business_date, direction",
    ).to_pylist()


def others(settings: Settings) -> list[dict]:
    """Whom readers see beside the person."""
    return warehouse.query_serving(
        settings,
        f"select * from marts.customer_360 where customer_key <> 'cif:{KEY}' order by 1",
    ).to_pylist()


def erase_and_restore(settings: Settings, day: date, before: date, kept: Path) -> None:
    """The whole way: plant, run, back up, export, erase, land the old files again, restore an older backup."""
    plant(settings.landing, day)
    shutil.copytree(settings.landing, kept / "landing")
    pipeline.run(settings, day, day)
    root = settings.lake.parent
    back_up(settings, root / "vault", with_landing=True)
    warehouse.export_snapshot(settings, root / "exported.duckdb", force=False, progress=lambda _: None)
    told = {line.split(": ")[1] for line in found(settings)}
    assert told >= set(SENTINELS) - {*ABSENT, "Sentinel.Quux", EMAIL} and EMAIL in told
    seen, people = money(settings), others(settings)
    record = erasure.erase(settings, f"cif:{KEY}", "S0042", "asked for it", lambda _: None)
    assert found(settings) == []
    assert record.is_done and is_genuine(record) and record.publish_id
    assert money(settings) == seen
    assert others(settings) == people
    assert not (root / "exported.duckdb").exists()
    assert erasure.erase(settings, f"cif:{KEY}", "S0042", "asked for it", lambda _: None) == record
    for feed in ("customers", "accounts", "transactions", "registrations", "app_events"):
        shutil.copytree(kept / "landing" / feed, settings.landing / feed, dirs_exist_ok=True)
    pipeline.run(settings, day, day)
    assert found(settings) == []
    back = recover(settings, root / "vault", root / "back", None, lambda _: None)
    assert (back.business_date, back.erasures_replayed) == (day, 0)
    assert found(settings) == []
    earlier = recover(settings, root / "vault", root / "earlier", before, lambda _: None)
    assert earlier.business_date == before
    assert found(settings) == []


@pytest.mark.full
def test_a_person_is_erased_from_a_whole_bank(history: Settings, tmp_path: Path) -> None:
    settings = copy_of(history, tmp_path / "bank", tmp_path / "bank" / "landing")
    shutil.copytree(history.landing, settings.landing)
    erase_and_restore(settings, D1, LAST_OF_HISTORY, tmp_path / "kept")
