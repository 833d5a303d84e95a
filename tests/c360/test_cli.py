"""The console command: help everywhere, JSON where a program reads, and failures that say what to do."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer import Typer
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

import simulator
from c360.cli.main import app
from c360.cli.output import StoppingGroup, writing
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse.engines import postgres

NOWHERE = "/nowhere/there"
EXAMPLE = str(PROJECT / "ml_jobs" / "examples" / "loan_default.yml")
AWAY = {"C360_TARGET": "postgres", "C360_POSTGRES_DSN": "host=127.0.0.1 port=1"}
NO_DSN = {"C360_TARGET": "postgres", "C360_POSTGRES_DSN": "nonsense"}


def commands(command: TyperGroup, path: str = "") -> Iterator[str]:
    """Every command and group below one, as it is typed."""
    for name, part in getattr(command, "commands", {}).items():
        yield f"{path} {name}".strip()
        yield from commands(part, f"{path} {name}".strip())


@pytest.mark.parametrize("command", list(commands(get_command(app))))
def test_every_command_explains_itself(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_a_connection_that_breaks_ends_a_command_without_a_traceback(
    postgres_settings: Settings,
) -> None:
    lost = Typer(cls=StoppingGroup)

    @lost.callback()
    def of_more_than_one() -> None: ...

    @lost.command()
    def ask() -> None:
        with postgres.connect(postgres_settings) as connection:
            connection.execute("select pg_terminate_backend(pg_backend_pid())")

    shown = CliRunner().invoke(lost, ["ask"])
    assert shown.exit_code == 1 and isinstance(shown.exception, SystemExit)
    assert "stopped: the connection to Postgres broke: run it again" in shown.output


def test_an_empty_installation_has_a_status(installation: Settings) -> None:
    shown = CliRunner().invoke(app, ["status", "--json"])
    status = json.loads(shown.output)
    assert (status["built"], status["published"], status["deliveries"]) == (None, None, {})


LOADED = """
import sys
from typer.testing import CliRunner
from c360.cli.main import app
shown = CliRunner().invoke(app, ["status", "--json"])
assert shown.exit_code == 0, shown.output
of_others = {"adbc_driver_manager", "dbt", "great_expectations", "pandas", "sklearn", "splink", "sqlglot"}
print(*of_others & set(sys.modules))
"""


def test_a_command_that_only_reads_waits_for_no_library_of_other_steps(installation: Settings) -> None:
    environment = os.environ | installation.environment()
    done = subprocess.run([sys.executable, "-c", LOADED], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_a_customer_of_an_empty_installation_says_what_to_do(installation: Settings) -> None:
    shown = CliRunner().invoke(app, ["customer", "cif:C100000001"])
    assert shown.exit_code == 1
    assert "nothing is published yet" in shown.output


def test_the_doctor_names_what_is_missing(installation: Settings) -> None:
    assert CliRunner().invoke(app, ["doctor", "--json"]).exit_code == 0
    installation.landing.rmdir()
    shown = CliRunner().invoke(app, ["doctor", "--json"])
    assert shown.exit_code == 1
    assert json.loads(shown.output)["landing"] == f"{installation.landing}: make it, or set C360_LANDING"


def test_what_a_command_writes_is_closed_to_others(tmp_path: Path) -> None:
    os.umask(0)
    out = tmp_path / "bank"
    made = CliRunner().invoke(app, ["simulate", "--customers", "2", "--months", "1", "--out", str(out)])
    assert made.exit_code == 0
    assert {path.stat().st_mode & 0o777 for path in (out, *out.rglob("*"))} == {0o600, 0o700}


def test_a_run_of_an_empty_landing_folder_says_so(installation: Settings) -> None:
    shown = CliRunner().invoke(app, ["run"])
    assert shown.exit_code == 1
    assert "no delivery" in shown.output


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths of what a user may name by mistake, and of a small bank's landing folder, by name."""
    folder = tmp_path_factory.mktemp("files")
    texts = {
        "broken.yml": "name: [x\n",
        "undeclared.yml": "name: x\ncurrency: CNY\nutc_offset: '+08:00'\nrequired: [nothing]\n",
        "unfinished.yml": "task: unfinished\n",
        "astray.yml": Path(EXAMPLE)
        .read_text()
        .replace("loan_default", "astray")
        .replace("loans.parquet", "marts.none"),
        "data.csv": "a,b\n1,2\n",
        "data.parquet": "no Parquet",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "empty").mkdir()
    simulator.generate(10, 1, 1, folder / "bank", days=1)
    names = (*texts, "empty", "none.yml")
    return {name: str(folder / name) for name in names} | {"landing": str(folder / "bank" / "landing")}


@pytest.mark.parametrize(
    ("command", "environment", "code", "words"),
    [
        ("status --target oracle", {}, 1, "duckdb, postgres or spark"),
        ("doctor", {"C360_TARGET": "oracle"}, 1, "duckdb, postgres or spark"),
        ("status", AWAY, 1, "Postgres cannot be reached"),
        ("run --landing {landing}", AWAY, 1, "Postgres cannot be reached"),
        ("customer cif:C1", AWAY, 1, "Postgres cannot be reached"),
        ("handover RM1", AWAY, 1, "Postgres cannot be reached"),
        ("report survival", AWAY, 1, "Postgres cannot be reached"),
        ("intraday run --seconds 0", AWAY, 1, "Postgres cannot be reached"),
        ("ml train churn", AWAY, 1, "Postgres cannot be reached"),
        ("status", NO_DSN, 1, "C360_POSTGRES_DSN"),
        ("handover RM1", NO_DSN, 1, "C360_POSTGRES_DSN"),
        ("run", {}, 1, "no delivery"),
        (f"run --landing {NOWHERE}", {}, 1, "no delivery"),
        ("run --landing {landing} --from yesterday", {}, 2, "--from"),
        ("run --landing {landing}", {"C360_DEPLOYMENT": "{broken.yml}"}, 1, "broken.yml cannot be read"),
        ("run --landing {landing}", {"C360_DEPLOYMENT": "{none.yml}"}, 1, "none.yml cannot be read"),
        ("run --landing {landing}", {"C360_DEPLOYMENT": "{undeclared.yml}"}, 1, "no contract under feeds/ for nothing"),
        ("run --landing {landing}", {"C360_DEPLOYMENT": "{data.csv}"}, 1, "deployments/simulated.yml"),
        ("run --landing {landing}", {"C360_MEMORY_LIMIT": "6"}, 1, "C360_MEMORY_LIMIT"),
        ("run --landing {landing}", {"C360_BUILD": "{empty}"}, 1, "C360_BUILD"),
        ("run --landing {landing}", {"C360_BUILD": "{data.csv}"}, 1, "C360_BUILD"),
        ("status", {"C360_WAREHOUSE": "{empty}"}, 1, "C360_WAREHOUSE"),
        ("status", {"C360_WAREHOUSE": "{data.csv}"}, 1, "C360_WAREHOUSE"),
        ("run --landing {data.csv}", {}, 1, "C360_LANDING"),
        ("run --landing {landing}", {"C360_LAKE": "{data.csv}"}, 1, "C360_LAKE"),
        ("run --landing {landing}", {"C360_TOKEN_SECRET": "0"}, 1, "C360_TOKEN_SECRET"),
        ("customer cif:C1", {}, 1, "nothing is published yet"),
        ("handover RM1", {}, 1, "nothing is published yet"),
        ("worklist", {}, 1, "nothing is published yet"),
        ("worklist --branch B0001 --rm RM1", {}, 1, "not both"),
        ("report survival", {}, 1, "nothing is published yet"),
        ("report segments", {}, 1, "nothing is published yet"),
        ("report forecast", {}, 1, "nothing is published yet"),
        ("report survival --html {empty}", {}, 2, "--html"),
        (f"evaluate scores --truth {NOWHERE}", {}, 2, "--truth"),
        ("evaluate recommendations", {}, 1, "no month-end"),
        ("evaluate alerts --truth {empty}", {}, 1, "planted_outflows.parquet is not there"),
        ("evaluate identity", {}, 1, "no delivery"),
        ("evaluate identity --landing {landing} --truth {empty}", {}, 1, "persons.parquet is not there"),
        (f"evaluate identity --truth {NOWHERE}", {}, 2, "--truth"),
        ("identity train", {}, 1, "run a business date first"),
        ("identity chart", {}, 1, "there is no model yet"),
        ("identity explain cif:C1 cif:C2", {}, 1, "run a business date first"),
        ("ml evaluate nothing", {}, 1, "nothing is neither a task"),
        ("ml train nothing", {}, 1, "nothing is neither a task"),
        ("ml evaluate {broken.yml}", {}, 1, "not YAML"),
        ("ml evaluate {unfinished.yml}", {}, 1, "not a valid task"),
        ("ml evaluate {astray.yml}", {}, 1, "nothing is published yet"),
        (f"ml evaluate {EXAMPLE}", {}, 1, "no such file"),
        (f"ml evaluate {EXAMPLE} --data {{data.csv}}", {}, 1, "has no column is_bad"),
        (f"ml evaluate {EXAMPLE} --data {{data.parquet}}", {}, 1, "not a Parquet file"),
        (f"ml evaluate {EXAMPLE} --data {{empty}}", {}, 1, "no such file"),
        (f"ml evaluate {EXAMPLE} --split halves", {}, 2, "--split"),
        (f"ml evaluate churn --truth {NOWHERE}", {}, 2, "--truth"),
        ("ml train churn", {}, 1, "nothing is built yet"),
        ("ml train churn --date 2026-01-01", {}, 1, "nothing is built yet"),
        ("ml promote churn", {}, 1, "nothing is built yet"),
        (f"ml promote {EXAMPLE}", {}, 1, "has no model"),
        (f"ml score {EXAMPLE} --data {{data.csv}}", {}, 1, "has no model"),
        ("ml explain churn --entity nobody", {}, 1, "nothing is built yet"),
        ("ml monitor churn", {}, 1, "nothing is built yet"),
        ("ml new x --data {data.csv}", {}, 1, "which column is the label"),
        ("ml new a/x --data {data.csv}", {}, 2, "letters a to z, digits and _"),
        ("ml new Big --data {data.csv}", {}, 2, "letters a to z, digits and _"),
        ("ml new x --data {data.parquet}", {}, 1, "not a Parquet file"),
        ("simulate --out {data.csv}", {}, 2, "--out"),
        ("simulate-intraday --from {landing} --date 2024-01-31 --broker", {}, 1, "C360_BROKER_URL"),
        (
            "simulate-intraday --from {landing} --date 2024-02-01 --broker",
            {"C360_BROKER_URL": "redis://127.0.0.1:1/0"},
            1,
            "the broker cannot be reached",
        ),
        ("intraday run --seconds 0", {}, 1, "no business date is published yet"),
        ("intraday status", {}, 1, "nothing is published yet"),
        ("adapt berka {empty} --out {empty}/landing", {}, 1, "no district.asc"),
        ("adapt berka-loans {empty} --out {empty}/loans.parquet", {}, 1, "no district.asc"),
        ("adapt csv {data.csv} nothing --out {empty} --month 2026-01 --set a=a", {}, 1, "no contract"),
        ("adapt csv {data.csv} products --out {empty} --month 2026-01 --set zz=a", {}, 1, "no column zz"),
        ("adapt csv {data.csv} products --out {empty} --month 2026-01 --set a", {}, 1, "column=SQL"),
    ],
)
def test_a_slip_ends_with_a_remedy_and_without_a_traceback(
    installation: Settings, files: dict[str, str], command: str, environment: dict[str, str], code: int, words: str
) -> None:
    typed = [_filled(part, files) for part in command.split()]
    shown = CliRunner().invoke(app, typed, env={name: _filled(text, files) for name, text in environment.items()})
    assert isinstance(shown.exception, SystemExit), shown.exc_info  # anything else would be printed as a traceback
    assert shown.exit_code == code, shown.output
    assert "Traceback" not in shown.output
    assert words in " ".join(shown.output.split())


def _filled(text: str, files: dict[str, str]) -> str:
    for name, path in files.items():
        text = text.replace(f"{{{name}}}", path)
    return text


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    place = tmp_path / "missing" / "page.html"
    with pytest.raises(Stop, match=r"missing/page.html cannot be written"), writing(place):
        place.write_text("")
