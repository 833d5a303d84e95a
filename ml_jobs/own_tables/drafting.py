"""A task file drafted from a table: entity, label, what to leave out, each with its reason, for a person to review."""

from pathlib import Path

import numpy as np
import yaml

from lakehouse.adapters.delimited import counted
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from ml_jobs.learning.leaks import find_leakage, is_named_afterwards, single_feature_aucs
from ml_jobs.own_tables.columns import Columns, text_of
from ml_jobs.own_tables.delivered import Delivered, read_rows
from ml_jobs.own_tables.frames import Table, labelled
from ml_jobs.own_tables.roles import (
    Candidate,
    date_candidates,
    entity_candidates,
    label_candidates,
    names_repeating_key,
    panel_key,
    words,
)
from ml_jobs.task_file import Reading, Task

POSITIVES = {
    *("1", "yes", "true", "t", "y", "bad", "default", "defaulted", "churned", "attrited", "attrited customer", "left"),
    *("charged off", "lost", "fraud", "closed", "exited", "positive", "是", "流失", "违约", "坏"),
}
PEOPLE = {"gender", "sex", "age", "性别", "年龄"}
Described = dict[str, object]


def draft(settings: Settings, name: str, path: Path, label: str | None = None, reading: Reading | None = None) -> str:
    """The text of a task file.

    Raises
    ------
    Stop
        If the file cannot be read, or the label has to be named.
    """
    reading = reading or Reading()
    delivered = read_rows(settings, str(path), path, reading)
    columns = Columns(delivered, reading)
    chosen, about_label = _label(delivered, columns, label)
    described: Described = {"task": name, "table": str(path.resolve())}
    if pinned := reading.model_dump(exclude_none=True):
        described["reading"] = pinned
    roles, about_roles = _roles(columns, chosen)
    described |= roles | {"label": chosen, "positive": _positive(columns, chosen)}
    questions = {column: columns[column].question for column in delivered.names if column not in described.values()}
    questions = {column: question for column, question in questions.items() if question}
    asked = {"exclude": {column: f"open: {question}" for column, question in questions.items()}}
    table = labelled(Task.model_validate(described | (asked if questions else {})), delivered)
    aucs = single_feature_aucs(table.rows.values, table.rows.label, table.encoding.source)
    leaks, suspects = find_leakage(aucs, label=table.rows.label)
    exclude = {leak.feature: f"{leak.why} (ROC AUC alone {leak.roc_auc:.3f})" for leak in (*leaks, *suspects)}
    lines = [
        f"# Drafted from {path.name}: {_shape(delivered)}. Look it over, then: c360 ml evaluate {name}.yml",
        "# Every key is explained in docs/MODELS.md.",
        *(f"# Note: {note}" for note in table.notes[len(delivered.notes) :]),
        *about_label,
        *about_roles,
        _yaml(described),
        *_about_dates(described),
        *_excluded(exclude, questions),
        *_remarks(table, aucs, exclude, columns),
    ]
    return "\n".join(lines) + "\n"


def _shape(delivered: Delivered) -> str:
    """How the file was read."""
    return "; ".join(delivered.notes)


def _label(delivered: Delivered, columns: Columns, label: str | None) -> tuple[str, list[str]]:
    """The label, and the comments that say why this one."""
    if label is not None:
        if label not in delivered.frame:
            raise Stop(f"--label: {delivered.name} has no column {label}", f"it has {', '.join(delivered.names)}")
        _require_two(columns, label)
        return label, []
    candidates = label_candidates(columns)
    best = candidates[0].strength if candidates else 0
    if not best:
        raise Stop(
            f"{delivered.name}: which column is the label? {_shown(candidates) or 'None has two values'}",
            "name it with --label",
        )
    named = [candidate for candidate in candidates if candidate.strength >= 2]
    strong = [candidate for candidate in named if candidate.strength >= 4]
    if len(strong) != 1 and len(named) > 1:
        raise Stop(f"{delivered.name}: several columns may be the label: {_shown(named)}", "name one with --label")
    chosen, *others = strong + [candidate for candidate in candidates if candidate not in strong]
    _require_two(columns, chosen.column)
    lines = [f"# The label is {chosen.column}: {chosen.why}."]
    if others:
        lines.append(f"# It could be another column of two values: {_shown(others)}; then draft with --label.")
    return chosen.column, lines


def _require_two(columns: Columns, label: str) -> None:
    texts = columns.texts(label)
    spelt: dict[str, int] = {}
    for text, rows in zip(texts.distinct.to_pylist(), texts.counts.tolist(), strict=True):
        spelt[text_of(text)] = spelt.get(text_of(text), 0) + rows
    if len(spelt) != 2:
        shown = ", ".join(sorted(spelt, key=lambda text: -spelt[text])[:8])
        raise Stop(f"{label} holds {counted(len(spelt), 'value')} ({shown})", "name a column of two with --label")


def _shown(candidates: list[Candidate]) -> str:
    return "; ".join(f"{candidate.column} ({candidate.why})" for candidate in candidates[:6])


def _roles(columns: Columns, label: str) -> tuple[Described, list[str]]:
    """Entity, groups and as-of date as keys, and comments that say why."""
    described: Described = {}
    lines = []
    candidates = entity_candidates(columns, label)
    if not candidates and (found := panel_key(columns, {label})):
        candidates = [found]
    if candidates:
        entity, *others = candidates
        described["entity"] = entity.column
        lines.append(f"# The entity is {entity.column}: {entity.why}.")
        repeating = [other for other in others if names_repeating_key(other.column, columns)]
        if repeating and not names_repeating_key(entity.column, columns):
            described["groups"] = repeating[0].column
            lines.append(f"# {repeating[0].column} repeats ({repeating[0].why}): its rows stay together.")
        if others:
            lines.append(f"# Other keys: {_shown(others)}.")
    dates = date_candidates(columns, label)
    named = [candidate for candidate in dates if candidate.strength]
    if len(named) == 1 and not columns[named[0].column].question:
        described["as_of_date"] = named[0].column
        lines.append(f"# The as-of date is {named[0].column}: {named[0].why}.")
    elif dates:
        lines.append(f"# Which of these is the as-of date, the day on which a row was true? {_shown(dates)}.")
    return described, lines


def _about_dates(described: Described) -> list[str]:
    if "as_of_date" in described:
        return ["# horizon_days: 90    # from the as-of date to the day on which the outcome was known: say how many"]
    return [
        "# as_of_date: COLUMN  # the day on which a row was true; with it, later rows judge",
        "# horizon_days: 90    # from then to the day on which the outcome was known",
    ]


def _excluded(exclude: dict[str, str], questions: dict[str, str]) -> list[str]:
    lines = []
    if questions:
        lines.append("# Open questions: answer them under `reading`, and take the column out of `exclude`.")
    if exclude:
        lines.append("# Left out because they give the outcome away; vouch for one under known_in_time:")
    excluded = exclude | {column: f"open question: {question}" for column, question in questions.items()}
    return [*lines, _yaml({"exclude": excluded})] if excluded else []


def _remarks(table: Table, aucs: dict[str, float], exclude: dict[str, str], columns: Columns) -> list[str]:
    named = [feature for feature in aucs if feature not in exclude and is_named_afterwards(feature)]
    lines = [f"# Was {feature} known on the day of the score? If not, add it to exclude." for feature in named]
    lines += [f"# Not used: {column} ({why})" for column, why in table.dropped.items() if not why.startswith("open: ")]
    strongest = sorted(((auc, feature) for feature, auc in aucs.items() if feature not in exclude), reverse=True)[:5]
    lines.append("# Strongest alone: " + ", ".join(f"{feature} {auc:.2f}" for auc, feature in strongest))
    people = [name for name in columns.delivered.names if not PEOPLE.isdisjoint(words(name))]
    lines += [f"# fairness: {_flow(name, columns)}" for name in people[:1]]
    return lines


def _flow(name: str, columns: Columns) -> str:
    """``{Gender: []}``, or bands of a number."""
    edges = [30, 45, 60] if columns[name].kind == "number" and columns[name].distinct > 10 else []
    return yaml.safe_dump({name: edges}, default_flow_style=True, allow_unicode=True, width=110).strip()


def _yaml(content: Described) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110).rstrip("\n")


def _positive(columns: Columns, label: str) -> object:
    """The value with the name of a positive, otherwise the rarer one; the numbers of classes 1 and 2 mean nothing."""
    texts = columns.texts(label)
    distinct = texts.distinct.to_pylist()
    named = {text_of(text).lower() for text in distinct}
    positives = [text for text in distinct if text_of(text).lower() in POSITIVES and named != {"1", "2"}]
    value = text_of(positives[0] if len(positives) == 1 else distinct[int(np.argmin(texts.counts))])
    return int(value) if value == "0" or (value.isascii() and value.isdigit() and value[0] != "0") else value
