"""What a bank's days leave in the audit, and every receipt of them done again."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

import simulator
from c360 import four_eyes, pipeline
from c360.cli.main import app
from c360.receipts import Receipts, find, keep_receipts, newest, read, replay, verify
from c360.receipts.files import HASH, hashed, not_in_audit, prepared_path, write
from lakehouse import warehouse
from lakehouse.lake import audit
from lakehouse.lake.model_files import Known
from lakehouse.lake.page_views import read_events
from lakehouse.settings import PROJECT, Settings
from ml_jobs.errors import CannotScore
from ml_jobs.scores.promotion import champion
from ml_jobs.task_file import load_tasks
from tests.conftest import parsed
from tests.pipeline.bank import copy_of, deployment_at
from tests.pipeline.conftest import D1, D2, D3, LAST_OF_HISTORY, START, Undisturbed


@pytest.fixture(scope="module")
def bank(day_by_day: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return copy_of(day_by_day.settings, tmp_path_factory.mktemp("audited"))


@pytest.fixture(scope="module")
def receipts(bank: Settings) -> Receipts:
    return read(newest(bank.lake, D3))


def test_the_audit_of_four_days_is_whole_and_knows_every_record(bank: Settings) -> None:
    found = audit.verify(bank.lake)
    assert found.breaks == ()
    known = {record["subject"] for record in audit.read(bank.lake)}
    for pattern in ("deliveries/*/*.json", "publishes/*.json", "models/*/promotions/*.json", "receipts/*/*.parquet"):
        paths = [str(path.relative_to(bank.lake)) for path in bank.lake.glob(pattern)]
        assert paths and set(paths) <= known, pattern
    steps = {subject.rpartition("/")[2] for subject in known if subject.startswith("runs/")}
    assert {"build.json", "score.json", "network.json", "serve.json"} <= steps
    assert "dbt_project/seeds/contact_limits.csv" in known


def test_auditors_read_it_as_a_table(bank: Settings) -> None:
    rows = warehouse.query_serving(bank, "select * from ops.audit order by record_number").to_pylist()
    chain = {record["number"]: record for record in audit.read(bank.lake)}
    assert len(rows) > 500
    for row in rows:
        record = chain[row["record_number"]]
        assert (row["record_hash"], row["previous_hash"]) == (record["hash"], record["previous"])
        assert (row["record_kind"], row["subject"]) == (record["kind"], record["subject"])


@pytest.mark.parametrize("day", [D1, D2, D3])
def test_every_receipt_comes_out_the_same_again(bank: Settings, day: object) -> None:
    found = verify(bank, day)  # pyrefly: ignore[bad-argument-type]
    assert found.problem is None
    assert len(found.replayed) > 300
    assert [one for one in found.replayed if not one.is_same] == []


def test_there_is_a_receipt_of_every_action_and_every_high_score(bank: Settings, receipts: Receipts) -> None:
    def rows(sql: str) -> dict[str, dict]:
        return {row["id"]: row for row in warehouse.query_serving(bank, sql).to_pylist()}

    kept = {row["receipt_id"]: row for row in receipts.table.to_pylist()}
    assert len(kept) == receipts.table.num_rows
    columns = "action_id as id, customer_key, source, is_allowed, block_reason, arm, is_handed_out, due_date, owner"
    actions = rows(f"select {columns} from actions.worklist")
    scores = rows(
        "select 'score:' || task || ':' || customer_key as id, customer_key, score, as_of_date, model_version "
        "from scores.customer_scores where band = 'high'"
    )
    assert kept.keys() == actions.keys() | scores.keys()
    for name, expected in (actions | scores).items():
        assert {column: kept[name][column] for column in expected if column != "id"} == {
            column: value for column, value in expected.items() if column != "id"
        }
    policy = rows(
        "select customer_key as id, block_reason, service_block_reason, is_control from actions.contact_policy"
    )
    for row in kept.values():
        if row["customer_key"] in policy:
            said = policy[row["customer_key"]]
            assert row["policy_block_reason"] == said["block_reason"]
            assert row["policy_is_control"] == said["is_control"]
    by_score = [row for row in kept.values() if row["source"] in ("retention", "next_best_offer") and row["score"]]
    assert by_score and all(row["features"] and row["model_sha256"] for row in by_score)


def changed(receipts: Receipts, column: str, change: Callable[[object], object]) -> Receipts:
    """The receipts with another value in the first row that has one, and with hashes that fit it."""
    values = receipts.table[column].to_pylist()
    at = next(place for place, value in enumerate(values) if value is not None)
    values[at] = change(values[at])
    table = receipts.table.drop_columns([HASH])
    place = table.column_names.index(column)
    return Receipts(
        receipts.path,
        receipts.about,
        hashed(table.set_column(place, table.field(place), pa.array(values, table.field(place).type))).slice(at, 1),
    )


FORGED: dict[str, Callable] = {
    "model_probability": lambda value: value + 0.001,
    "features": lambda values: [9e9 for _ in values],
    "model_sha256": lambda value: value[::-1],
    "fact_is_opted_out": lambda value: not value,
    "fact_preferred_channel": lambda _: None,
    "bars_cap_reached": lambda value: not value,
    "policy_is_control": lambda value: not value,
    "is_allowed": lambda value: not value,
    "rank": lambda value: value + 1_000,
    "band": lambda value: "low" if value == "high" else "high",
}


@pytest.mark.parametrize("column", FORGED)
def test_a_receipt_that_is_forged_with_its_hash_differs_when_it_is_done_again(
    bank: Settings, receipts: Receipts, column: str
) -> None:
    (again,) = replay(bank, changed(receipts, column, FORGED[column]))
    assert again.differences


def test_a_thousand_changes_of_a_single_byte_are_all_found(bank: Settings, receipts: Receipts) -> None:
    draw, kept = random.Random(19), receipts.path.read_bytes()
    try:
        for _ in range(1_000):
            place, spoilt = draw.randrange(len(kept)), bytearray(kept)
            spoilt[place] ^= draw.randrange(1, 256)
            receipts.path.write_bytes(spoilt)
            assert not_in_audit(bank.lake, receipts.path), f"byte {place}"
    finally:
        receipts.path.write_bytes(kept)
    assert not_in_audit(bank.lake, receipts.path) is None


def test_who_looks_by_a_command_is_written_down(
    day_by_day: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = copy_of(day_by_day.settings, tmp_path)
    for name, value in bank.environment().items():
        monkeypatch.setenv(name, value)
    run = CliRunner().invoke
    rows = warehouse.query_serving(
        bank, "select customer_key, rm_id, action_id from actions.worklist where rm_id is not null order by action_id"
    ).to_pylist()
    key, rm_id, action = (rows[0][name] for name in ("customer_key", "rm_id", "action_id"))
    for command in (
        ["customer", key],
        ["handover", rm_id, "--names"],
        ["worklist", "--rm", rm_id],
        ["receipt", action],
    ):
        done = run(app, command)
        assert done.exit_code == 0, done.output
    events = read_events(bank.lake, D3)
    assert {event["page"] for event in events} == {"customer", "handover", "worklist", "receipt"}
    assert [event["customer_key"] for event in events if event["page"] in ("customer", "receipt")] == [key, key]
    assert {event["detail"] for event in events if event["page"] == "handover"} == {"with names"}
    assert run(app, ["audit", "verify"]).exit_code == 0
    assert run(app, ["receipt", "verify", "--date", str(D3)]).exit_code == 0
    assert run(app, ["receipt", "nothing"]).exit_code == 1


@pytest.mark.full  # copies all that is published
def test_an_export_is_in_the_audit(day_by_day: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = copy_of(day_by_day.settings, tmp_path)
    for name, value in bank.environment().items():
        monkeypatch.setenv(name, value)
    assert CliRunner().invoke(app, ["export", "snapshot", str(tmp_path / "store.duckdb")]).exit_code == 0
    *_, last = audit.read(bank.lake)
    assert (last["kind"], last["subject"]) == ("export", "snapshot")


def test_a_model_scores_once_two_people_have_signed_it(day_by_day: Undisturbed, tmp_path: Path) -> None:
    declared = (PROJECT / "deployments" / "simulated.yml").read_text()
    kept = [line for line in declared.splitlines() if not line.startswith("four_eyes")]
    (tmp_path / "bank.yml").write_text("\n".join(kept))
    bank = copy_of(day_by_day.settings, tmp_path).model_copy(update={"deployment": tmp_path / "bank.yml"})
    task, tomorrow = load_tasks()["churn"], D3 + timedelta(days=1)
    with pytest.raises(CannotScore, match="waits for two names: c360 propose promotion churn"):
        champion(bank, task, Known.by(bank, tomorrow))
    made = four_eyes.propose(bank, "promotion", "churn", "S0042", "its top decile holds")
    with pytest.raises(CannotScore, match="two names"):
        champion(bank, task, Known.by(bank, tomorrow))
    four_eyes.sign(bank, made.number, "S0043", "so I see it")
    assert champion(bank, task, Known.by(bank, tomorrow)).card["model_version"] == made.content
    with pytest.raises(CannotScore, match="two names"):
        champion(bank, task, Known.by(bank, D3))  # what was scored before stays as it was


@pytest.mark.full  # a bank of its own
@pytest.mark.timeout(3600)
def test_all_receipts_of_a_day_of_2000_customers_come_out_the_same_again(tmp_path: Path) -> None:
    simulator.generate(2000, 18, 7, tmp_path, start=START)
    settings = parsed(deployment_at(tmp_path, tmp_path / "landing"))
    pipeline.run(settings, LAST_OF_HISTORY, LAST_OF_HISTORY)
    found = verify(settings, LAST_OF_HISTORY)
    assert found.problem is None
    assert len(found.replayed) > 1_000
    assert [one for one in found.replayed if not one.is_same] == []


def test_a_receipt_is_found_by_its_id(bank: Settings, receipts: Receipts) -> None:
    row = receipts.table.filter(pc.is_valid(receipts.table["score"])).slice(0, 1).to_pylist()[0]
    found = find(bank.lake, row["receipt_id"], D3)
    assert found.table.num_rows == 1
    assert found.path == receipts.path
    assert find(bank.lake, row["receipt_id"]).about["publish_id"] == receipts.about["publish_id"]


def test_a_publish_whose_run_was_killed_before_it_kept_its_receipts_gets_them_from_the_next(
    day_by_day: Undisturbed, tmp_path: Path
) -> None:
    bank = copy_of(day_by_day.settings, tmp_path)
    shown = warehouse.published_snapshot(bank)
    kept = read(newest(bank.lake, D3, shown.publish_id))
    audited = len(list(audit.read(bank.lake)))
    kept.path.rename(prepared_path(bank.lake))
    assert keep_receipts(bank) == kept.path
    again = read(kept.path)
    assert (again.about, again.root) == (kept.about, kept.root)
    assert not prepared_path(bank.lake).exists() and not_in_audit(bank.lake, kept.path) is None
    assert keep_receipts(bank) is None and len(list(audit.read(bank.lake))) - audited <= 1


def test_receipts_of_a_publish_that_never_was_are_no_receipts(day_by_day: Undisturbed, tmp_path: Path) -> None:
    bank = copy_of(day_by_day.settings, tmp_path)
    shown = warehouse.published_snapshot(bank)
    kept = read(newest(bank.lake, D3, shown.publish_id))
    killed: dict[str, object] = {"publish_id": shown.publish_id + 1, "run_id": "killed"}
    for changed in (killed, {**killed, "run_id": kept.about["run_id"]}, {"run_id": "killed"}):
        write(Receipts(prepared_path(bank.lake), kept.about | changed, kept.table))
        assert keep_receipts(bank) is None
        assert not prepared_path(bank.lake).exists()
    assert newest(bank.lake) == kept.path


KILLED = """
import os, signal, sys
from c360 import pipeline
from lakehouse import warehouse
from lakehouse.settings import Settings

warehouse.record_publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
pipeline.serve(Settings.from_env(), warehouse.published_date(Settings.from_env()), "killed")
"""


@pytest.mark.full  # serves a date; above, what the next run does about it
def test_a_kill_right_after_the_publish_leaves_receipts(day_by_day: Undisturbed, tmp_path: Path) -> None:
    bank = copy_of(day_by_day.settings, tmp_path)
    before = warehouse.published_snapshot(bank).publish_id
    killed = subprocess.run(
        [sys.executable, "-c", KILLED], env=os.environ | bank.environment(), cwd=PROJECT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert warehouse.published_snapshot(bank).publish_id == before + 1
    assert prepared_path(bank.lake).exists()
    pipeline.publish_ops(bank, D3, "after")
    found = verify(bank, D3, before + 1)
    assert found.problem is None and len(found.replayed) > 0 and all(one.is_same for one in found.replayed)
