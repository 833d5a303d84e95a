"""A task file drafted from a table: entity, label, excluded columns with the reason, for a person to review."""

from pathlib import Path

import pandas as pd
import yaml

from lakehouse.errors import Stop
from lakehouse.settings import Settings
from ml_jobs.learning.leaks import find_leakage, is_named_afterwards, single_feature_aucs
from ml_jobs.own_tables.frames import labelled, looks_like_an_identifier, read_frame
from ml_jobs.task_file import Task

LABELS = (
    *("label", "target", "y", "class", "outcome", "churn", "churned", "exited", "attrition_flag", "default", "status"),
    *(
        "seriousdlqin2yrs",
        "default.payment.next.month",
        "default payment next month",
        "deposit",
        "subscribed",
        "bankrupt?",
    ),
    *("loan_status", "risk", "response", "is_churn", "is_default", "attrition", "bad", "good_bad"),
)
POSITIVES = ("1", "yes", "true", "y", "bad", "default", "churned", "attrited", "attrited customer", "charged off")


def draft(settings: Settings, name: str, path: Path, label: str | None = None) -> str:
    """The text of a task file.

    Raises
    ------
    ValueError
        If the file cannot be read, or no column looks like a label.
    """
    frame = read_frame(settings, str(path), path)
    label = label or _label(frame)
    if label not in frame:
        raise Stop(f"--label: {path} has no column {label}; it has {', '.join(map(str, frame.columns))}")
    values = frame[label].dropna()
    if values.nunique() != 2:
        shown = ", ".join(map(repr, values.value_counts().index[:8]))
        raise Stop(f"{label} holds {values.nunique()} values ({shown}): name a column of two with --label")
    identifiers = [name for name in frame if name != label and looks_like_an_identifier(str(name), frame[name])]
    described = {
        "task": name,
        "table": str(path.resolve()),
        "entity": identifiers[0] if identifiers else None,
        "label": label,
        "positive": _positive(values),
    }
    described = {key: value for key, value in described.items() if value is not None}
    table = labelled(Task.model_validate(described), frame)
    aucs = single_feature_aucs(table.rows.values, table.rows.label, table.encoding.source)
    leaks, suspects = find_leakage(aucs)
    exclude = {leak.feature: f"{leak.why} (ROC AUC alone {leak.roc_auc:.3f})" for leak in (*leaks, *suspects)}
    named = [feature for feature in aucs if feature not in exclude and is_named_afterwards(feature)]
    lines = [
        f"# Drafted from {path.name}: {len(frame):,} rows. Look it over, then: c360 ml evaluate {name}.yml",
        "# Every key is explained in docs/MODELS.md.",
        _yaml(described),
        "# as_of_date: COLUMN  # the day on which a row was true; with it, later rows judge",
        "# horizon_days: 90    # from then to the day on which the outcome was known",
    ]
    if exclude:
        lines += ["# Left out because they give the outcome away; vouch for one under known_in_time if it was known:"]
        lines += [_yaml({"exclude": exclude})]
    lines += [f"# Was {feature} known on the day of the score? If not, add it to exclude." for feature in named]
    lines += [f"# Not used: {column} ({why})" for column, why in table.dropped.items()]
    strongest = sorted(((auc, feature) for feature, auc in aucs.items() if feature not in exclude), reverse=True)[:5]
    lines += ["# Strongest alone: " + ", ".join(f"{feature} {auc:.2f}" for auc, feature in strongest)]
    groups = [column for column in ("gender", "sex", "age") for name in frame if str(name).lower() == column]
    lines += [f"# fairness: {{{groups[0]}: []}}"] if groups else []
    return "\n".join(line.rstrip("\n") for line in lines) + "\n"


def _yaml(content: dict) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


def _label(frame: pd.DataFrame) -> str:
    named = {str(name).lower(): str(name) for name in frame}
    labels = [named[name] for name in LABELS if name in named and frame[named[name]].nunique() == 2]
    if not labels:
        last = frame.columns[-1]
        if frame[last].nunique() == 2:
            return last
        raise Stop(f"which column is the label? Name it with --label; there are {', '.join(map(str, frame))}")
    return labels[0]


def _positive(values: pd.Series) -> object:
    """The value with the name of a positive, otherwise the rarer one; the numbers of classes 1 and 2 mean nothing."""
    counts = values.value_counts()
    names = {str(value).strip().lower().removesuffix(".0"): value for value in counts.index}
    named = [value for name, value in names.items() if name in POSITIVES and names.keys() != {"1", "2"}]
    value = named[0] if len(named) == 1 else counts.index[-1]
    return value.item() if hasattr(value, "item") else value
