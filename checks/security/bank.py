"""A small bank that is run from deliveries to readers, faults included; then all that it wrote is looked through.

On its last day a made-up person, the canary, stands in rows that are right, in rows that are refused, in files that are
rejected, in a day that stops and in a gate that fails. What the commands say goes into a log beside the lake.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

import simulator
from lakehouse.contracts import Feed, load_feeds
from lakehouse.errors import Stop
from lakehouse.ingestion.landing import measure_file
from lakehouse.lake import close_files, pin
from lakehouse.lake.dates import landed_dates
from lakehouse.settings import PROJECT, Settings
from lakehouse.sql import identifier, literal

CUSTOMERS, MONTHS, START = 120, 14, date(2024, 1, 1)
OF_EACH = 2  # values of each personal column
LEAST_BYTES = 7  # a shorter value stands in other texts by chance
IN_CLEAR = {  # where personal data stands, and why
    "landing/*": "as sources deliver it",
    "truth/*": "what the simulator knows",
    "lake/raw/*": "as delivered, closed to others",
    "lake/quarantine/*": "refused rows, closed to others",
    "build.duckdb*": "the build engine, closed to others",
}
CLOSED = ("lake/*", "build.duckdb*", "backups/*", "data_docs/*", "logs/*")
CANARY = {
    "name": "欧阳卡娜丽",
    "id_no": "310101199001011234",
    "phone": "19912345670",
    "email": "kanali.ouyang@canary.cn",
    "address": "上海市江北区金丝雀路1号7栋",
}
# Where each of its values stands in a row that is refused: in a column that cannot hold it.
MISPLACED = {
    "name": "birth_date",
    "id_no": "party_type",
    "phone": "opened_date",
    "email": "monthly_income",
    "address": "risk_rating",
}
LOST = "a-posting-is-lost"


class Unexpected(Exception):
    """A command ended otherwise than it should; the message has what it said."""


@dataclass(frozen=True)
class Bank:
    """The bank as it was run; its files are below ``folder``."""

    folder: Path
    settings: Settings

    @property
    def log(self) -> Path:
        """What its commands said."""
        return self.folder / "logs" / "commands.log"

    def c360(self, *arguments: str, fails: bool = False, **variables: str) -> None:
        """Run a command of the project; what it says goes into the log."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("C360_")}
        environment = {**kept, **self.settings.environment(), "PYTHONPATH": str(PROJECT), **variables}
        command = [sys.executable, "-m", "c360", *arguments]
        done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
        with self.log.open("a") as log:
            log.write(done.stdout + done.stderr)
        if bool(done.returncode) is not fails:
            raise Unexpected(f"c360 {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr[-2000:]}")


def run_bank(folder: Path) -> Bank:
    """Simulate and run it.

    Raises
    ------
    Unexpected
        If a command fails that should not, or does not fail that should.
    """
    close_files()
    simulator.generate(CUSTOMERS, MONTHS, 7, folder, days=2, start=START, faults=True)
    settings = Settings.below(folder, target="duckdb")
    bank = Bank(folder, settings)
    bank.log.parent.mkdir()
    *_, before, last = landed_dates(settings.landing)
    bank.c360("run", "--to", str(before))
    _plant(settings.landing, last)
    _stop_a_day(bank, last)
    bank.c360("run")
    _fail_a_gate(bank, last)
    _look_and_copy(bank, last)
    return bank


def _plant(landing: Path, day: date) -> None:
    """Put the canary into the last day's files: rows that are right, rows to refuse, files to reject."""
    person = {"party_type": "P", "gender": "F", "birth_date": "1990-01-01", "id_type": "ID", "owner_customer_no": ""}
    _append(landing, "customers", day, [person | CANARY, *({MISPLACED[name]: CANARY[name]} for name in CANARY)])
    _append(landing, "rm_contacts", day, [{"note": " ".join(CANARY.values())}], is_told=False)
    _append(landing, "complaints", day, [{"category": CANARY["name"]}], garbled=b"\xff\xfe\x81")


def _append(
    landing: Path, feed: str, day: date, rows: list[Mapping[str, str]], is_told: bool = True, garbled: bytes = b""
) -> None:
    """Append to a delivery copies of the feed's newest row with other values; its manifest is told of it, or not."""
    contract, name = load_feeds()[feed], f"{feed}_{day}_v1"
    path, manifest = landing / feed / f"{name}.dat", landing / feed / f"{name}.manifest.json"
    header, *lines = path.read_bytes().decode(contract.encoding).splitlines()
    names = header.split(contract.delimiter)
    pattern = dict(zip(names, _newest_row(landing / feed, contract).split(contract.delimiter), strict=True))
    for number, values in enumerate(rows):
        own = {names[0]: f"{pattern[names[0]][:-4]}9{number:03}", "business_date": str(day)}
        lines.append(contract.delimiter.join({**pattern, **own, **values}[column] for column in names))
    path.write_bytes("\n".join([header, *lines, ""]).encode(contract.encoding) + garbled)
    if is_told:
        described, landed = json.loads(manifest.read_text()), measure_file(path, contract.delimiter)
        described["row_count"] += len(rows)
        described["files"] = [{"name": path.name, "bytes": landed.bytes, "sha256": landed.sha256}]
        manifest.write_text(json.dumps(described))


def _newest_row(folder: Path, contract: Feed) -> str:
    """The last line of the newest delivery that has a row: on one day a small bank may have none."""
    for path in sorted(folder.glob("*.dat"), reverse=True):
        _, *lines = path.read_bytes().decode(contract.encoding).splitlines()
        if lines:
            return lines[-1]
    raise Unexpected(f"{folder.name}: no delivery has a row")


def _stop_a_day(bank: Bank, day: date) -> None:
    """A required feed does not come: the run fails, and publishes no more than that it failed."""
    manifest = bank.settings.landing / "products" / f"products_{day}_v1.manifest.json"
    kept = manifest.rename(manifest.with_suffix(".kept"))
    bank.c360("run", fails=True, C360_LOG_FORMAT="json")
    kept.rename(manifest)


def _fail_a_gate(bank: Bank, day: date) -> None:
    """A posting of the build engine is lost: the gate before readers stops the day, and records why."""
    from c360 import pipeline

    with duckdb.connect(str(bank.settings.build)) as engine:
        engine.execute("create table raw.lost as from build_marts.fct_transactions order by txn_id limit 1")
        engine.execute("delete from build_marts.fct_transactions where txn_id = (select txn_id from raw.lost)")
    try:
        pipeline.serve(bank.settings, day, LOST)
    except Stop as stop:
        with bank.log.open("a") as log:
            log.write(f"stopped: {stop}\n")
    else:
        raise Unexpected("the gate passed though a posting was lost")
    with duckdb.connect(str(bank.settings.build)) as engine:
        engine.execute("insert into build_marts.fct_transactions from raw.lost; drop table raw.lost")
    pipeline.publish_ops(bank.settings, day, LOST)


def _look_and_copy(bank: Bank, day: date) -> None:
    """What people do then: look, send, check a bad file, back up, hand on a copy."""
    spoilt = bank.settings.landing / "complaints" / f"complaints_{day}_v1.dat"
    bank.c360("check", str(spoilt), "--feed", "complaints", "--date", str(day), C360_LOG_FORMAT="json")
    bank.c360("status", "--json")
    bank.c360("alerts", "list")
    bank.c360("alerts", "send", "--dry-run")
    bank.c360("audit", "verify")
    bank.c360("backup", str(bank.folder / "backups"), "--landing")
    bank.c360("export", "snapshot", str(bank.folder / "snapshot.duckdb"))


def personal_values(settings: Settings, business_date: date) -> dict[str, str]:
    """Some values of every personal text column of the newest deliveries: ``customers.phone 1`` -> the value."""
    found = {}
    with duckdb.connect() as connection:
        for feed in load_feeds().values():
            files = [
                literal(str(one.outcome.rows_path(settings.lake)))
                for one in pin(settings.lake, business_date).of(feed.name)
            ]
            for column in feed.columns:
                if not files or not column.is_pii or column.type != "varchar":
                    continue
                name = identifier(column.name)
                rows = connection.execute(
                    f"select distinct {name} as value from read_parquet([{', '.join(files)}], union_by_name = true) "
                    f"where octet_length(encode({name})) >= {LEAST_BYTES} order by md5(value) limit {OF_EACH}"
                ).fetchall()
                found |= {f"{feed.name}.{column.name} {place}": value for place, (value,) in enumerate(rows, 1)}
    return found
