"""A lake gets another token secret: all of it or nothing, whenever the change is killed."""

import hmac
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from c360 import rotation
from lakehouse import lake
from lakehouse.errors import Stop
from lakehouse.lake import audit
from lakehouse.lake.integrity import require_intact, verify
from lakehouse.lake.secret import AnotherSecret, fingerprint, fingerprint_file, require_same_secret
from lakehouse.settings import Settings
from ml_jobs.registry.model import signature
from tests.conftest import SECRET
from tests.lakehouse.ingestion.bank import CUSTOMER, DAY, Bank, postings

NEW = 2 * "another secret of tests "
ACCOUNT, OTHER, PHONE = "6222000001", "9558000001", "13800138001"
CARD = '{"model_sha256": "none"}'


def token(text: str, secret: str) -> str:
    return hmac.digest(secret.encode(), text.encode(), "sha256").hex()


@pytest.fixture
def bank(settings: Settings) -> Bank:
    """A lake with everything that depends on the secret, which is in ``token.secret``."""
    bank = Bank(settings)
    bank.deliver("transactions", postings({"counterparty_account": OTHER}, {"direction": "X"}))
    bank.deliver("customers", [{**CUSTOMER, "phone": PHONE, "party_type": "P"}])
    bank.deliver("branches", [{"branch_code": "B1", "branch_name": "Main", "city": "Prague", "region": "CZ"}])
    for feed in ("transactions", "customers", "branches"):
        bank.ingest(feed)
    old = f"outside:{token(OTHER, SECRET)}"
    _write(bank, "network/a.parquet", lambda path: pq.write_table(pa.table({"node_key": [old, "cif:C1", None]}), path))
    forms = pa.table({"token": [token("xiao ming", SECRET)], "share": [0.5]})
    _write(bank, "identity/models/1/term_frequencies.parquet", lambda path: pq.write_table(forms, path))
    _write(bank, "runs/r/build.json", lambda path: path.write_text(f'{{"warnings": "token {token(PHONE, SECRET)}"}}'))
    for name, secret in (("signed", SECRET), ("forged", "somebody else's, of 32 characters at least")):
        _write(bank, f"models/churn/{name}/card.json", lambda path: path.write_text(CARD))
        signed = signature(CARD.encode(), SecretStr(secret))
        _write(bank, f"models/churn/{name}/signature", lambda path, text=signed: path.write_text(text))
    (settings.lake.parent / "token.secret").write_text(SECRET)
    return bank


def _write(bank: Bank, name: str, write: Callable[[Path], object]) -> None:
    path = bank.settings.lake / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)


def _contents(settings: Settings) -> dict[str, bytes]:
    files = (path for path in settings.lake.rglob("*") if path.is_file())
    return {str(path.relative_to(settings.lake)): path.read_bytes() for path in files}


def _assert_new(bank: Bank, before: dict[str, bytes], new: str) -> None:
    """Every token is of the new secret, every digest fits, and nothing else has changed."""
    settings = bank.settings.model_copy(update={"token_secret": SecretStr(new)})
    require_same_secret(settings)
    assert set(_contents(settings)) == set(before)
    rows = duckdb.sql(
        "select account_no, account_no_token, counterparty_account_token "
        f"from '{settings.lake}/raw/transactions/*/*.parquet'"
    ).fetchall()
    assert rows == [(ACCOUNT, token(ACCOUNT, new), token(OTHER, new))]
    refused = duckdb.sql(
        f"select account_no_token from '{settings.lake}/quarantine/transactions/*/*.parquet'"
    ).fetchall()
    assert refused == [(token(ACCOUNT, new),)]
    keys = pq.read_table(settings.lake / "network" / "a.parquet")["node_key"].to_pylist()
    assert keys == [f"outside:{token(OTHER, new)}", "cif:C1", None]
    forms = pq.read_table(settings.lake / "identity/models/1/term_frequencies.parquet")["token"].to_pylist()
    assert forms == [token("xiao ming", new)]
    assert token(PHONE, new) in (settings.lake / "runs/r/build.json").read_text()
    assert (settings.lake / "models/churn/signed/signature").read_text() == signature(CARD.encode(), SecretStr(new))
    assert _contents(settings)["models/churn/forged/signature"] == before["models/churn/forged/signature"]
    require_intact(settings, lake.pin(settings.lake, date.fromisoformat(DAY)))
    assert verify(settings).intact == 4
    (branches,) = [name for name in before if name.startswith("raw/branches")]
    assert _contents(settings)[branches] == before[branches]
    old = token(ACCOUNT, SECRET), token(OTHER, SECRET), token(PHONE, SECRET)
    assert not [name for name, text in _contents(settings).items() for one in old if one.encode() in text]
    assert not list(settings.lake.parent.glob(".*rotation"))


def test_everything_is_of_the_new_secret(bank: Bank) -> None:
    before = _contents(bank.settings)
    assert rotation.rotate(bank.settings).keeps_secret_file
    file = bank.settings.lake.parent / "token.secret"
    assert file.stat().st_mode & 0o777 == 0o600
    _assert_new(bank, before, file.read_text())
    with pytest.raises(AnotherSecret):
        require_same_secret(bank.settings)


def test_what_is_written_anew_is_in_the_audit_and_what_was_wrong_before_stays_wrong(bank: Bank) -> None:
    root = bank.settings.lake
    audit.seal(root)
    assert audit.verify(root).is_whole
    (root / "models/churn/forged/card.json").write_text("{}")
    rotation.rotate(bank.settings)
    *_, last = audit.read(root)
    assert (last["kind"], last["detail"]) == ("replaced", "the secret was rotated")
    assert [found.file for found in audit.verify(root).breaks] == ["models/churn/forged/card.json"]


def test_a_secret_from_elsewhere_is_given(bank: Bank, settings: Settings) -> None:
    (settings.lake.parent / "token.secret").unlink()
    before = _contents(settings)
    with pytest.raises(Stop, match="--new-secret"):
        rotation.rotate(settings)
    with pytest.raises(Stop, match="too short"):
        rotation.rotate(settings, SecretStr("short"))
    assert _contents(settings) == before
    assert not rotation.rotate(settings, SecretStr(NEW)).keeps_secret_file
    _assert_new(bank, before, NEW)
    assert not (settings.lake.parent / "token.secret").exists()


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("at", range(0, 24, 2))
def test_a_kill_leaves_the_old_or_is_finished_by_the_next_call(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Killed before its n-th write, rename or removal: nothing has happened, or no run starts until it is finished."""
    settings, before, calls = bank.settings, _contents(bank.settings), iter(range(1000))

    def killing(what: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if next(calls) == at:
                raise Killed
            return what(*arguments, **named)

        return call

    with monkeypatch.context() as patched:
        for owner, name in (
            *((rotation.os, "link"), (rotation.pq, "write_table"), (rotation.lake, "write_json")),
            *((Path, "rename"), (Path, "replace"), (rotation.shutil, "rmtree"), (rotation.warehouse, "drop_build")),
        ):
            patched.setattr(owner, name, killing(getattr(owner, name)))
        with suppress(Killed):
            rotation.rotate(settings, SecretStr(NEW))
    ready = settings.lake.with_name(f".{settings.lake.name}.rotation") / "ready"
    if ready.exists():
        with pytest.raises(AnotherSecret, match="finishes it"):
            require_same_secret(settings)
    elif fingerprint_file(settings).read_text() == fingerprint(settings.token_secret):
        assert _contents(settings) == before
        require_same_secret(settings)
    if ready.exists() or _contents(settings) == before:
        rotation.rotate(settings, SecretStr(NEW))
    _assert_new(bank, before, NEW)


def test_a_lake_that_changes_meanwhile_stays(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = rotation.create_comparable

    def meanwhile(*given: object) -> None:
        bank.deliver("customers", [{**CUSTOMER, "customer_no": "C2"}], version=2)
        bank.ingest("customers")
        compared(*given)

    monkeypatch.setattr(rotation, "create_comparable", meanwhile)
    with pytest.raises(Stop, match="has changed meanwhile"):
        rotation.rotate(bank.settings)
    require_same_secret(bank.settings)
    assert verify(bank.settings).intact == 5


def test_a_file_without_a_token_that_the_contract_got_later_gets_it(bank: Bank) -> None:
    """So a lake of before is brought up to date."""
    (path,) = (bank.settings.lake / "raw" / "transactions").rglob("*.parquet")
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["account_no_token"]), path)
    for record in (bank.settings.lake / "deliveries" / "transactions").iterdir():
        facts = json.loads(record.read_text())
        record.write_text(json.dumps({name: value for name, value in facts.items() if not name.endswith("_sha256")}))
    before = _contents(bank.settings)
    rotation.rotate(bank.settings, SecretStr(NEW))
    _assert_new(bank, before, NEW)
