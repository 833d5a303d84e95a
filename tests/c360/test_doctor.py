"""The doctor tries every setting, every seed and every limit, and each that is wrong fails by name with a remedy."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from c360 import doctor
from c360.cli.main import app
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse import seeds


@pytest.fixture
def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suites and tasks take seconds to load; one test looks at them."""
    monkeypatch.setattr(doctor, "limits", lambda _: iter(()))


def failed() -> dict[str, str]:
    return {finding.subject: finding.verdict for finding in doctor.examine_environment() if not finding.is_fine}


def test_an_empty_installation_is_fine_and_every_setting_seed_and_suite_is_tried(installation: Settings) -> None:
    shown = CliRunner().invoke(app, ["doctor"])
    assert shown.exit_code == 0, shown.output
    subjects = {line.removeprefix("OK ").strip().partition(":")[0] for line in shown.output.splitlines()}
    assert {doctor.subject_of(name) for name in Settings.model_fields} <= subjects
    assert {f"seed {path.stem}" for path in seeds.FOLDER.glob("*.csv")} <= subjects
    assert {f"suite {path.stem}" for path in (PROJECT / "expectations" / "suites").glob("*.yml")} <= subjects


WRONG: dict[str, tuple[str, str]] = {
    "landing": ("C360_LANDING", "{file}"),
    "lake": ("C360_LAKE", "{file}"),
    "published": ("C360_PUBLISHED", "{file}"),
    "build": ("C360_BUILD", "{file}"),
    "warehouse": ("C360_WAREHOUSE", "{folder}"),
    "deployment": ("C360_DEPLOYMENT", "{file}"),
    "target": ("C360_TARGET", "oracle"),
    "spark master": ("C360_SPARK_MASTER", "localhost"),
    "memory limit": ("C360_MEMORY_LIMIT", "6000 TB"),
    "token secret": ("C360_TOKEN_SECRET", "short"),
    "api tokens": ("C360_API_TOKENS", "{file}"),
    "outbox": ("C360_OUTBOX", "{file}"),
    "activation secrets": ("C360_ACTIVATION_SECRETS", "{file}"),
    "alerts": ("C360_ALERTS", "{file}"),
    "legal holds": ("C360_LEGAL_HOLDS", "{folder}"),
    "api rate": ("C360_API_RATE", "often"),
    "broker": ("C360_BROKER_URL", "redis://127.0.0.1:1/0"),
    "variables": ("C360_LANDNIG", "elsewhere"),
    "last date": ("C360_LAST_DATE", "5.1.2026"),
}


@pytest.mark.parametrize("subject", WRONG)
def test_a_wrong_setting_fails_by_name_and_the_others_are_tried(
    installation: Settings, no_limits: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: str
) -> None:
    (tmp_path / "file").write_text("nothing that is read")
    (tmp_path / "folder").mkdir()
    name, value = WRONG[subject]
    monkeypatch.setenv(name, value.format(file=tmp_path / "file", folder=tmp_path / "folder"))
    verdicts = failed()
    assert set(verdicts) == {subject}
    assert name in verdicts[subject] or subject in ("variables", "last date", "deployment")
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 1


def test_a_run_on_spark_would_stop_and_the_doctor_says_so(
    installation: Settings, no_limits: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_TARGET", "spark")
    (verdict,) = failed().items()
    assert verdict[0] == "target"
    assert "not published yet" in verdict[1]
    assert "C360_TARGET" in verdict[1]


def test_the_secret_of_another_lake_fails(
    installation: Settings, no_limits: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (installation.lake).mkdir()
    (installation.lake / "token.fingerprint").write_text("0" * 64)
    assert "not the one that" in failed()["token secret"]


@pytest.mark.parametrize("currency", ["EUR", "USD", "JPY"])
def test_a_currency_without_thresholds_fails_and_stops_a_build(
    installation: Settings, no_limits: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, currency: str
) -> None:
    """Without rows of its own every customer would have one star, and nothing would earn anything."""
    deployment = yaml.safe_load((PROJECT / "deployments" / "simulated.yml").read_text()) | {"currency": currency}
    (tmp_path / "bank.yml").write_text(yaml.safe_dump(deployment))
    monkeypatch.setenv("C360_DEPLOYMENT", str(tmp_path / "bank.yml"))
    verdicts = failed()
    assert set(verdicts) == {"seed tier_thresholds", "seed transfer_prices"}
    assert f"{currency}:7" in verdicts["seed tier_thresholds"]
    with pytest.raises(Stop, match=f"currency is {currency}; .*tier_thresholds.csv needs .*{currency}:7"):
        seeds.require_currency(currency)


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("contacts_30d,2\n", "", "needs one row, with every value, for contacts_30d"),
        ("contacts_30d,2\n", "contacts_30d,2\ncontacts_30d,3\n", "for contacts_30d"),
        ("contacts_30d,2", "contacts_30d,", "for contacts_30d"),
        ("contacts_30d,2", "contacts_30d,two", "line 2: threshold_value is no decimal"),
        ("threshold,threshold_value", "threshold,value", "lacks the column threshold_value"),
    ],
)
def test_a_limit_that_is_missing_doubled_or_none_fails(
    installation: Settings,
    no_limits: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    after: str,
    word: str,
) -> None:
    folder = tmp_path / "seeds"
    folder.mkdir()
    for path in seeds.FOLDER.glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        (folder / path.name).write_text(text.replace(before, after) if path.stem == "contact_limits" else text)
    described = seeds.load_seeds()
    monkeypatch.setattr(seeds, "FOLDER", folder)
    monkeypatch.setattr(doctor, "load_seeds", lambda: described)
    verdicts = failed()
    assert set(verdicts) == {"seed contact_limits"}
    assert word in verdicts["seed contact_limits"]


@pytest.mark.usefixtures("no_limits")
def test_personal_data_that_others_may_read_is_found(installation: Settings) -> None:
    raw = installation.lake / "raw"
    raw.mkdir(parents=True)
    assert failed() == {
        "closed files": f"other users of the machine may read {raw}: "
        f"chmod -R go= {installation.lake} {installation.build} and the logs"
    }
    raw.chmod(0o700)
    assert not failed()
