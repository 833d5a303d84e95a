"""SIGKILL in the middle of an ingest: nothing that counts is left, and a second call ends as if undisturbed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from lakehouse.lake import read_outcomes
from lakehouse.lake.secret import require_same_secret
from tests.lakehouse.ingestion.bank import Bank, postings

INGEST = """
import os, signal, sys
from datetime import date
from lakehouse.ingestion import ingest_feed
from lakehouse.settings import Settings

left, rename = int(sys.argv[1]), os.replace

def rename_or_die(*paths):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(*paths)

os.replace = rename_or_die
ingest_feed(Settings.from_env(), "transactions", date(2026, 1, 31))
"""
RENAMES = 6  # for each of two deliveries: quarantine, lake file, outcome


def deliver(bank: Bank) -> Bank:
    """Two days, each with good rows and a bad one."""
    for day in ("2026-01-05", "2026-01-06"):
        change = {"business_date": day, "txn_at": f"{day} 10:00:00"}
        bank.deliver("transactions", postings(*[change] * 5_000, {**change, "direction": "X"}), period=day)
    return bank


def content(bank: Bank) -> dict[str, object]:
    """Every visible file: outcomes to the byte, Parquet by its rows."""
    return {
        file: bank.read(file) if file.endswith(".parquet") else (bank.settings.lake / file).read_bytes()
        for file in bank.files()
    }


def start(bank: Bank, renames_left: int) -> subprocess.Popen:
    paths = {
        "C360_LANDING": str(bank.settings.landing),
        "C360_LAKE": str(bank.settings.lake),
        "C360_TOKEN_SECRET": bank.settings.token_secret.get_secret_value(),
    }
    return subprocess.Popen([sys.executable, "-c", INGEST, str(renames_left)], env={**os.environ, **paths})


def assert_made_good(bank: Bank, undisturbed: Bank) -> None:
    for outcome in read_outcomes(bank.settings.lake):
        assert {outcome.lake_file, outcome.quarantine_file} <= bank.files()
    bank.ingest("transactions")
    assert content(bank) == content(undisturbed)
    assert bank.ingest("transactions") == []


# the files of the second delivery appear as those of the first; its last one ends the run
FEW = (1, 2, 3, RENAMES)


@pytest.mark.parametrize(
    "rename", [n if n in FEW else pytest.param(n, marks=pytest.mark.full) for n in range(1, RENAMES + 1)]
)
@pytest.mark.faults("kill_steps", store="lake", holds=("content",))
def test_killed_before_a_file_appears(next_bank: Callable[[], Bank], rename: int) -> None:
    undisturbed, bank = deliver(next_bank()), deliver(next_bank())
    undisturbed.ingest("transactions")
    require_same_secret(bank.settings)  # its fingerprint appears before the first delivery is read
    assert start(bank, rename).wait() == -signal.SIGKILL
    assert len(read_outcomes(bank.settings.lake)) == (rename - 1) // 3
    assert_made_good(bank, undisturbed)


@pytest.mark.faults("kill_moments", store="lake", holds=("content",))
def test_killed_while_a_file_is_written(next_bank: Callable[[], Bank]) -> None:
    undisturbed, bank = deliver(next_bank()), deliver(next_bank())
    undisturbed.ingest("transactions")
    process = start(bank, 0)
    while process.poll() is None and not any(bank.settings.lake.glob("raw/**/.*.tmp")):
        time.sleep(0.0005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert read_outcomes(bank.settings.lake) == []
    assert_made_good(bank, undisturbed)
