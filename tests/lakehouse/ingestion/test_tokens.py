"""Tokens are HMAC-SHA-256 of normalised values: two writings of one number give one token, and nothing gives none."""

import hashlib
import hmac

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from lakehouse.contracts import load_feeds
from lakehouse.ingestion import rules
from lakehouse.settings import Settings
from tests.conftest import SECRET
from tests.lakehouse.ingestion.bank import CUSTOMER, DAY, POSTING, Bank


def expected(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


@given(
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=150), st.text(st.characters(codec="utf-8"))
)
@settings(max_examples=40, deadline=None)
def test_the_macro_is_hmac(secret: str, value: str) -> None:
    with duckdb.connect() as con:
        rules.create_token_macro(con, SecretStr(secret))
        assert con.execute("select token($1)", [value]).fetchall() == [(expected(secret, value),)]


@pytest.mark.parametrize("length", [63, 64, 65, 200])
def test_secrets_around_the_block_size(length: int) -> None:
    with duckdb.connect() as con:
        rules.create_token_macro(con, SecretStr("s" * length))
        assert con.execute("select token('a'), token(null)").fetchall() == [(expected("s" * length, "a"), None)]


def test_each_column_is_normalised_by_its_contract(bank: Bank) -> None:
    rows = [
        {"phone": "138 0013-8000", "email": " Wang@Example.COM ", "id_no": "11010119900101123x"},
        {"phone": "13800138000", "email": "wang@example.com", "id_no": " 11010119900101123X"},
        {"phone": "unknown", "email": "  ", "id_no": ""},
    ]
    bank.deliver("customers", [{**CUSTOMER, **row, "customer_no": f"C{n}"} for n, row in enumerate(rows)])
    (outcome,) = bank.ingest("customers")
    secret = bank.settings.token_secret.get_secret_value()
    written = bank.read(outcome.lake_file, "phone_token, email_token, id_no_token")
    tokens = tuple(expected(secret, text) for text in ("13800138000", "wang@example.com", "11010119900101123X"))
    assert written == [tokens, tokens, (None, None, None)]
    assert bank.read(outcome.lake_file, "phone, email")[0] == ("138 0013-8000", " Wang@Example.COM ")


def test_another_secret_gives_other_tokens_and_nothing_else(bank: Bank) -> None:
    bank.deliver("transactions", [{**POSTING, "counterparty_account": "6222 X"}])
    (outcome,) = bank.ingest("transactions")
    other_secret = {"lake": bank.settings.lake.with_name("other"), "token_secret": SecretStr(f"not {SECRET}")}
    other = Bank(bank.settings.model_copy(update=other_secret))
    (again,) = other.ingest("transactions")
    columns = "* exclude (account_no_token, counterparty_account_token)"
    assert other.read(again.lake_file, columns) == bank.read(outcome.lake_file, columns)
    secret = bank.settings.token_secret.get_secret_value()
    column = "counterparty_account_token"
    assert bank.read(outcome.lake_file, column) == [(expected(secret, "6222 X"),)]
    assert other.read(again.lake_file, column) == [(expected(f"not {SECRET}", "6222 X"),)]


def test_the_secret_is_not_in_the_lake(settings: Settings) -> None:
    bank = Bank(settings)
    bank.deliver("transactions", [{**POSTING, "direction": "X", "counterparty_account": "6222"}, POSTING])
    bank.ingest("transactions")
    for file in bank.files():
        assert bank.settings.token_secret.get_secret_value().encode() not in (settings.lake / file).read_bytes()


@pytest.mark.faults("keys", store="lake")
def test_a_required_number_of_blanks_is_missing_and_two_writings_are_one_key(bank: Bank) -> None:
    account = {"business_date": DAY, "customer_no": "C1", "product_code": "P1", "branch_code": "B1", "currency": "CNY"}
    account |= {"opened_date": DAY, "status": "open"}
    bank.deliver("accounts", [{**account, "account_no": number} for number in ("A1", "   ", " A1", "A 1", "A2 ")])
    (outcome,) = bank.ingest("accounts")
    assert bank.quarantine(outcome) == [(3, "account_no", "missing_value"), (4, "account_no", "conflicting_key")]
    secret = bank.settings.token_secret.get_secret_value()
    tokens = [(expected(secret, text),) for text in ("A1", "A 1", "A2")]
    assert bank.read(outcome.lake_file, "account_no_token") == tokens


def test_an_account_has_one_token_in_all_feeds(bank: Bank) -> None:
    """Downstream systems join on it: an account that somebody pays to is the account that its owner has."""
    given = {"account_no": "6222 X", "counterparty_account": "6222 X", "business_date": DAY, "balance": "1.00"}
    given |= {"currency": "CNY", "binding_id": "W1", "provider": "W", "bound_at": f"{DAY} 01:00:00"}
    tokens = set()
    for feed in ("transactions", "balances", "wallet_bindings"):
        names = [column.name for column in load_feeds()[feed].columns]
        row = {name: (POSTING | given)[name] for name in names if name in POSTING | given}
        bank.deliver(feed, [row])
        (outcome,) = bank.ingest(feed)
        tokens |= set(bank.read(outcome.lake_file, "account_no_token"))
        if feed == "transactions":
            tokens |= set(bank.read(outcome.lake_file, "counterparty_account_token"))
    assert tokens == {(expected(bank.settings.token_secret.get_secret_value(), "6222 X"),)}
