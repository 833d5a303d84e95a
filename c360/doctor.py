"""Check an installation: every setting, every seed, every limit; one finding for each thing that a run needs."""

import codecs
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import psutil
import psycopg

from c360.access import read_grants
from c360.alerts.rules import load_alerts
from c360.audit.anchoring import STDOUT
from c360.telemetry.logs import FORMAT
from lakehouse import warehouse
from lakehouse.activation.contract import activation_of, secret_of
from lakehouse.contracts import Deployment, Feed, load_deployment, load_feeds
from lakehouse.erasure.holds import read_holds
from lakehouse.errors import Stop
from lakehouse.intraday import brokers
from lakehouse.lake.secret import fingerprint_file, require_same_secret
from lakehouse.language import ENGLISH
from lakehouse.settings import SECRETS, Settings, secret_file
from lakehouse.warehouse.seeds import Seed, load_seeds

ENOUGH_DISK = 5 * 2**30
# Variables that are no settings: of logs, Airflow, docker-compose and its database, dbt's profile, the tests.
OTHER_VARIABLES = {"C360_LAST_DATE", "C360_LANDING_FOLDER", "C360_WAREHOUSE_PASSWORD", "C360_FUZZ_SECONDS", FORMAT}
OTHER_VARIABLES |= {"C360_TOKEN"}  # of who asks for the record of a person
OTHER_VARIABLES |= {f"C360_BI_{name}_FILE" for name in ("METADATA", "PASSWORD", "SECRET_KEY", "STORE")}
OTHER_VARIABLES |= {"C360_BI_BIND", "C360_BI_TLS", "C360_BI_METADATA_PASSWORD", "C360_READER_PASSWORD"}
OTHER_VARIABLES |= {f"C360_AIRFLOW_{name}_FILE" for name in ("PASSWORD", "VIEWER_PASSWORD")}
OTHER_VARIABLES |= {f"C360_{name.upper()}_FILE" for name in SECRETS}
OF_DBT = "C360_PG_"


@dataclass(frozen=True)
class Finding:
    """The result of one check; if it failed, the verdict says what to do."""

    subject: str
    is_fine: bool
    verdict: str


def examine(settings: Settings) -> list[Finding]:
    """Check everything that a run needs, what failed first. Folders that are missing are made; nothing else changes."""
    checks = (_machine, _settings, _variables, _contracts, _seeds, limits)
    findings = [finding for check in checks for finding in check(settings)]
    return sorted(findings, key=lambda finding: finding.is_fine)


def examine_environment(target: str | None = None) -> list[Finding]:
    """The same for the settings of the environment, each of which may be one that is refused.

    Parameters
    ----------
    target : str, optional
        Engine and store, in place of the environment's.
    """
    refused = Settings.refused(target=target)
    usable = {name: Settings.model_fields[name].default for name in refused if name in Settings.model_fields}
    if "token_secret" in usable:  # so that none is made in place of the one that is refused
        usable["token_secret"] = secrets.token_hex(32)
    findings = [Finding(subject_of(name), False, str(why)) for name, why in refused.items()]
    known = {finding.subject for finding in findings}
    settings = Settings.from_env(**{"target": target} | usable)
    return findings + [finding for finding in examine(settings) if finding.subject not in known]


def _machine(settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield _finding("python", version.startswith("3.11."), version, "Python 3.11 is what the lock was made for")
    place = next(path for path in (settings.lake, *settings.lake.parents) if path.exists())
    free = shutil.disk_usage(place).free
    yield _finding("disk", free > ENOUGH_DISK, f"{free / 2**30:.0f} GiB free", "free some space: a run needs 5 GiB")


def _settings(settings: Settings) -> Iterator[Finding]:
    yield _finding("landing", settings.landing.is_dir(), str(settings.landing), "make it, or set C360_LANDING")
    yield _attempt("lake", lambda: _writable(settings.lake), "set C360_LAKE to a folder that may be written")
    yield _attempt("published", lambda: _writable(settings.published), "set C360_PUBLISHED to one that may be written")
    for name in ("build", "warehouse"):
        remedy = f"set C360_{name.upper()} to a file of DuckDB, or to none, in a folder that may be written"
        yield _attempt(name, lambda name=name: _database(getattr(settings, name)), remedy)
    yield _attempt("closed files", lambda: _closed(settings), "")
    yield _attempt("target", lambda: _target(settings), "")
    used = settings.spark_master if settings.target == "spark" else "not needed"
    yield Finding("spark master", True, used)
    yield _attempt("memory limit", lambda: _memory(settings), "set C360_MEMORY_LIMIT to less than the machine has")
    yield _attempt("token secret", lambda: _secret(settings), "")
    yield _attempt("outbox", lambda: _writable(settings.outbox), "correct C360_OUTBOX")
    yield _attempt("activation secrets", lambda: _activation_secrets(settings), "correct C360_ACTIVATION_SECRETS")
    yield _attempt("audit anchor", lambda: _anchor(settings), "correct C360_AUDIT_ANCHOR")
    yield _attempt("alerts", lambda: _alerts(settings), f"correct {settings.alerts}")
    yield _attempt("legal holds", lambda: _legal_holds(settings), "correct C360_LEGAL_HOLDS")
    yield _attempt("api tokens", lambda: f"{len(read_grants(settings.api_tokens))} tokens", "correct C360_API_TOKENS")
    yield Finding("api rate", True, settings.api_rate)
    dsn = settings.postgres_dsn.get_secret_value()
    if settings.target == "postgres":
        yield _attempt("postgres", lambda: _server_version(dsn), "start it, or correct C360_POSTGRES_DSN")
    else:
        yield Finding("postgres", True, ENGLISH("set, and not used by the target duckdb") if dsn else "not needed")
    if settings.broker_url:
        yield _attempt("broker", brokers.connect(settings).server, "start it, or correct C360_BROKER_URL")
    else:
        yield Finding("broker", True, ENGLISH("none: events within the day come as files"))


def _variables(settings: Settings) -> Iterator[Finding]:
    """Names that are nearly those of settings, which would be silently without effect."""
    known = {*settings.environment(), *OTHER_VARIABLES}
    unknown = sorted(
        name for name in os.environ if name.startswith("C360_") and name not in known and not name.startswith(OF_DBT)
    )
    known_ones = ", ".join(sorted(settings.environment()))
    seen = f"no setting is called {', '.join(unknown)}" if unknown else ENGLISH("every C360_ variable is a setting")
    yield _finding("variables", not unknown, seen, f"use one of {known_ones}")
    last = os.environ.get("C360_LAST_DATE")
    yield _attempt("last date", lambda: str(date.fromisoformat(last) if last else "none"), "write it as YYYY-MM-DD")


def _contracts(settings: Settings) -> Iterator[Finding]:
    yield _attempt("contracts", _all_feeds, "correct the contract")
    yield _attempt(
        "deployment",
        lambda: f"{load_deployment(settings.deployment).name} ({settings.deployment})",
        "correct it, or set C360_DEPLOYMENT",
    )
    if deployment := _deployment(settings):
        off = ENGLISH("off: one name is enough (four_eyes: false in the deployment)")
        on = ENGLISH("on: overrides, changed rules, re-keys and new models need two names")
        yield Finding("four eyes", True, on if deployment.four_eyes else off)


def _target(settings: Settings) -> str:
    warehouse.store_of(settings)  # what Spark builds has none: a run would stop
    return settings.target


def _anchor(settings: Settings) -> str:
    """A folder must take files and lie outside the lake; whether an address answers is seen at the next publish."""
    place = settings.audit_anchor
    if not place:
        return ENGLISH("none: whoever can write the lake can write another audit")
    if place == STDOUT or "://" in place:
        return place
    folder = Path(place).resolve()
    if folder == settings.lake or settings.lake in folder.parents:
        raise ValueError(f"{folder} lies in the lake")
    return _writable(folder)


def _activation_secrets(settings: Settings) -> str:
    """The secrets of the activations that the deployment sends."""
    deployment = _deployment(settings)
    sent = [activation_of(name) for name in (deployment.activations if deployment else ())]
    names = sorted({name for one in sent if (name := getattr(one.target, "credential", None))})
    for name in names:
        secret_of(settings, name)
    return ENGLISH("{count} secrets for {activations} activations", count=len(names), activations=len(sent))


def _legal_holds(settings: Settings) -> str:
    """How many rows the list of legal holds has."""
    return f"{len(read_holds(settings.legal_holds))} rows"


def _alerts(settings: Settings) -> str:
    """The rules of alerts, and the secrets of those whom the deployment tells."""
    rules, deployment = load_alerts(settings.alerts), _deployment(settings)
    named = rules.chosen(deployment.alerts if deployment else ())
    names = sorted({name for one in named if (name := rules.receivers[one].target.credential)})
    for name in names:
        secret_of(settings, name)
    return ENGLISH(
        "{rules} rules, {count} secrets, {told} receivers are told",
        rules=len(rules.rules),
        told=len(named),
        count=len(names),
    )


def _seeds(settings: Settings) -> Iterator[Finding]:
    """A finding for each seed; without a readable deployment, as a bank of the project's first currency has them."""
    deployment = _deployment(settings)
    currency = deployment.currency if deployment else "CNY"
    for seed in load_seeds().values():
        try:
            faults = seed.faults(currency)
        except (OSError, UnicodeDecodeError) as error:
            faults = [str(error)]
        shown = "; ".join(faults) or _said_of(seed, currency)
        yield _finding(f"seed {seed.name}", not faults, shown, f"correct dbt_project/seeds/{seed.path.name}")


def _said_of(seed: Seed, currency: str) -> str:
    """What is right about a seed without faults."""
    needed = len(seed.needed_by(currency))
    if seed.key and seed.is_by_currency:
        return ENGLISH("{count} rows that must be there are, for {currency}", count=needed, currency=currency)
    if seed.key:
        return ENGLISH("{count} rows that must be there are", count=needed)
    if seed.is_by_currency:
        return ENGLISH("every value can be read, for {currency}", currency=currency)
    return ENGLISH("every value can be read")


def limits(_settings: Settings) -> Iterator[Finding]:
    """What the gates and the scores go by."""
    from expectations.checkpoint import SUITES, load_suite  # Great Expectations takes seconds to import
    from ml_jobs.task_file import load_tasks

    for path in sorted(SUITES.glob("*.yml")):
        yield _attempt(f"suite {path.stem}", lambda path=path: _suite(path, load_suite), f"correct {path.name}")
    yield _attempt("tasks", lambda: f"{len(load_tasks())} scores", "correct the file under ml_jobs/tasks/")


def _suite(path: Path, load_suite: Callable) -> str:
    return f"{len(load_suite(path.stem).expectations)} expectations"


def _all_feeds() -> str:
    feeds = load_feeds()
    if faults := [f"{feed.name}: {fault}" for feed in feeds.values() for fault in _limit_faults(feed)]:
        raise Stop("; ".join(faults))
    return f"{len(feeds)} feeds"


def _limit_faults(feed: Feed) -> Iterator[str]:
    """Limits of a contract that are none: they would let everything pass, or nothing."""
    for name in ("reject_limit", "least_share", "doubt_limit"):
        if not 0 <= getattr(feed, name) <= 1:
            yield f"{name} is {getattr(feed, name)}, and no share"
    for name in ("reject_floor", "doubt_floor", "latency_days", "initial_lag_days"):
        if getattr(feed, name) < 0:
            yield f"{name} is negative"
    if feed.format == "delimited" and len(feed.delimiter) != 1:
        yield "a delimited feed needs a delimiter of one character"
    names = {column.name for column in feed.columns}
    for column in (*feed.key, *feed.control_sums, *filter(None, [feed.business_date_column])):
        if column not in names:
            yield f"there is no column {column}"
    for column in feed.columns:
        if column.references and column.references not in load_feeds():
            yield f"{column.name} refers to {column.references}, which is no feed"
    try:
        codecs.lookup(feed.encoding)
    except LookupError:
        yield f"there is no encoding {feed.encoding}"


def _deployment(settings: Settings) -> Deployment | None:
    try:
        return load_deployment(settings.deployment)
    except Stop:
        return None


def subject_of(name: str) -> str:
    """A setting as the findings call it."""
    return {"postgres_dsn": "postgres", "broker_url": "broker"}.get(name, name.replace("_", " "))


def _finding(subject: str, is_fine: bool, seen: str, remedy: str) -> Finding:
    return Finding(subject, is_fine, seen if is_fine else f"{seen}: {remedy}")


def _attempt(subject: str, look: Callable[[], str], remedy: str) -> Finding:
    try:
        return Finding(subject, True, look())
    except Stop as failure:
        return Finding(subject, False, str(failure))
    except Exception as failure:  # noqa: BLE001 (whatever it is, it is the finding)
        return _finding(subject, False, str(failure).strip(), remedy)


def _writable(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".doctor"
    probe.touch()
    probe.unlink()
    return str(folder)


def _database(path: Path) -> str:
    """A file of DuckDB, if there is one; one that a run holds open is fine."""
    if not path.exists():
        return ENGLISH("{path}, not made yet", path=f"{_writable(path.parent)}/{path.name}")
    try:
        duckdb.connect(path, read_only=True).close()
    except duckdb.IOException as error:
        if "lock" not in str(error).lower():
            raise
        return f"{path}, in use"
    _writable(path.parent)
    return str(path)


def _memory(settings: Settings) -> str:
    total = psutil.virtual_memory().total
    with duckdb.connect(config={"memory_limit": settings.memory_limit}) as con:
        row = con.execute("select value from duckdb_settings() where name = 'memory_limit'").fetchall()[0]
    given = _bytes(str(row[0]))
    if given is not None and given > total:
        raise ValueError(f"{settings.memory_limit}, and the machine has {total / 2**30:.1f} GiB")
    return f"{settings.memory_limit} of {total / 2**30:.1f} GiB"


def _bytes(text: str) -> float | None:
    """What DuckDB shows of a limit, in bytes; None: no limit."""
    match = re.fullmatch(r"([\d.]+) ?([KMGTPE]?)iB|([\d.]+) bytes", text)
    if not match:
        return None
    return float(match[3] or match[1]) * 1024 ** " KMGTPE".index(match[2] or " ")


def _secret(settings: Settings) -> str:
    path = secret_file(settings.lake)
    if fingerprint_file(settings).exists():
        require_same_secret(settings)
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Stop(f"{path} mode {stat.S_IMODE(path.stat().st_mode):o}", f"chmod 600 {path}")
    return f"{path} mode 600" if path.exists() else ENGLISH("C360_TOKEN_SECRET gives it")


def _closed(settings: Settings) -> str:
    """What an earlier version wrote was open to others, as the shell's umask had it."""
    raw = settings.lake / "raw"
    if raw.exists() and stat.S_IMODE(raw.stat().st_mode) & 0o077:
        raise Stop(
            f"other users of the machine may read {raw}", f"chmod -R go= {settings.lake} {settings.build} and the logs"
        )
    return ENGLISH("other users of the machine read nothing of the lake")


def _server_version(dsn: str) -> str:
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        return f"PostgreSQL {connection.info.server_version // 10000} at {connection.info.host}"
