"""What the scores are worth, per task: the model beside simpler scores and, where there is a truth, the oracle."""

import json
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from c360.settings import Settings
from ml_jobs.oracle import oracle_auc
from ml_jobs.paths import newest_model
from ml_jobs.tasks import load_tasks


def score_quality(settings: Settings, truth: Path | None = None) -> dict[str, dict]:
    """Figures of every task's newest model on its untouched rows, or why the task abstains.

    Parameters
    ----------
    truth : Path or None
        The simulator's ``truth/``, whose true hazards are the oracle; None without it, as with a real bank.

    Returns
    -------
    dict of str to dict
        Per task ``{"abstained": reason}``, or ``model_version``, ``test_month``, ``figures`` as in the model's card,
        and with a truth ``oracle`` as from `oracle.oracle_auc`.
    """
    return {task: _task_quality(settings, truth, task) for task in load_tasks()}


def quality_tables(quality: dict[str, dict]) -> Iterator[Table | str]:
    """`score_quality` for a person: one line per abstention, then one table of what the scores are worth."""
    table = Table(title="Scores: ROC AUC on untouched rows (95 % interval)", title_justify="left", title_style="bold")
    for name in ("score", "positives", "model", "logistic regression", "one-line rule", "oracle (true hazards)"):
        table.add_column(name)
    for task, found in quality.items():
        if "abstained" in found:
            yield f"[bold]{task}[/] abstains: {found['abstained']}"
            continue
        areas = {name: figures["roc_auc"] for name, figures in found["figures"].items()}
        areas |= found.get("oracle", {}).get("roc_auc", {})
        rows = found["test_month"]
        names = ("model", "logistic_regression", "rule", "oracle")
        table.add_row(task, f"{rows['positives']} of {rows['rows']}", *(_interval(areas.get(name)) for name in names))
    if table.row_count:
        yield table


def _interval(figure: dict | None) -> str:
    return "-" if figure is None else f"{figure['value']:.3f} ({figure['low']:.3f}-{figure['high']:.3f})"


def _task_quality(settings: Settings, truth: Path | None, task: str) -> dict:
    folder = newest_model(settings, task)
    if folder is None:
        return {"abstained": _last_abstention(settings, task)}
    card = json.loads((folder / "card.json").read_text())
    quality = {
        "model_version": card["model_version"],
        "test_month": card["months"]["test"],
        "figures": card["figures"],
    }
    return quality if truth is None else quality | {"oracle": oracle_auc(settings, truth, task)}


def _last_abstention(settings: Settings, task: str) -> str:
    kept = sorted((settings.lake / "models" / task / "abstentions").glob("[!.]*.json"))
    return json.loads(kept[-1].read_text())["reason"] if kept else "never scored: run the pipeline first"
