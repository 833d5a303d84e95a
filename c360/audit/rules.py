"""The files by which the bank decides: each run says which of them are not what they were in the run before."""

import hashlib
from pathlib import Path

from lakehouse.contracts import load_deployment
from lakehouse.lake import audit
from lakehouse.lake.files import digest
from lakehouse.settings import PROJECT, Settings

SWITCH = "four_eyes"  # the rule that says whether two names are asked for, as the audit has it
FILES = (
    "dbt_project/seeds/*.csv",  # thresholds, limits, prices, phrases
    "ml_jobs/tasks/*.yml",  # minima, bands, the promotion rule
    "expectations/suites/*.yml",  # what stops a day
    "feeds/*/*.yml",  # limits of a feed
    "c360/access/roles.yml",
    "lakehouse/identity/linkage.yml",
    "lakehouse/warehouse/lineage.yml",
)


def was_on(lake: Path) -> bool:
    """Whether the last run asked for two names."""
    return rules_in_force(lake).get(SWITCH) == _digest_of(True)


def rule_files(settings: Settings) -> dict[str, Path]:
    """Name and file of each; the deployment and the rules of alerts are those that the settings name."""
    found = {str(path.relative_to(PROJECT)): path for pattern in FILES for path in sorted(PROJECT.glob(pattern))}
    return {"deployment": settings.deployment, "alerts": settings.alerts} | found


def rules_in_force(lake: Path) -> dict[str, str]:
    """The digest of each file of rules as the last run had it, by name."""
    rules = (record for record in audit.read(lake) if record["kind"] == "rule")
    return {record["subject"]: record["new"] for record in rules if record["new"]}


def changed_rules(settings: Settings) -> dict[str, tuple[str | None, str | None]]:
    """Digests before and now of each file of rules that is not what the last run had, new and lost ones included."""
    before = rules_in_force(settings.lake)
    now = {name: digest(path) for name, path in rule_files(settings).items() if path.is_file()}
    now[SWITCH] = _digest_of(load_deployment(settings.deployment).four_eyes)
    names = sorted(before.keys() | now.keys())
    return {name: (before.get(name), now.get(name)) for name in names if before.get(name) != now.get(name)}


def note_rules(settings: Settings, run_id: str) -> list[str]:
    """Put the files of rules that have changed since the last run into the audit; returns their names."""
    changed = changed_rules(settings)
    audit.append(
        settings.lake, [audit.entry("rule", name, run_id, None, old, new) for name, (old, new) in changed.items()]
    )
    return list(changed)


def _digest_of(is_on: bool) -> str:
    return hashlib.sha256(str(is_on).encode()).hexdigest()
