"""What the scores are worth, per task: the model beside simpler scores and, where there is a truth, the oracle."""

import json
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from lakehouse.lake.model_files import newest_model
from lakehouse.settings import Settings
from ml_jobs.quality.oracle import has_hazard, oracle_auc
from ml_jobs.task_file import load_tasks


def score_quality(settings: Settings, truth: Path | None = None) -> dict[str, dict]:
    """Figures of every task's newest model on its untouched rows, or why the task abstains.

    Parameters
    ----------
    truth : Path or None
        The simulator's ``truth/``, whose true hazards are the oracle; None without it, as with a real bank.

    Returns
    -------
    dict of str to dict
        Per task ``{"abstained": reason}``, or ``model_version``, ``test_months``, ``figures`` as in the model's card,
        and with a truth ``oracle`` as from `oracle.oracle_auc`.
    """
    return {task: task_quality(settings, truth, task) for task in load_tasks()}


def quality_tables(quality: dict[str, dict]) -> Iterator[Table | str]:
    """`score_quality` for a person: one line per abstention, then one table of what the scores are worth."""
    table = Table(title="Scores: ROC AUC on untouched rows (95 % interval)", title_justify="left", title_style="bold")
    for name in ("score", "positives", "model", "logistic regression", "one-line rule", "oracle (true hazards)"):
        table.add_column(name)
    others = []
    for task, found in quality.items():
        if "abstained" in found:
            yield f"[bold]{task}[/] abstains: {found['abstained']}"
            continue
        if "qini" in found or "concordance" in found:
            others.append(uplift_table(task, found) if "qini" in found else staying_table(task, found))
            continue
        areas = {name: figures["roc_auc"] for name, figures in found["figures"].items()}
        areas |= found.get("oracle", {}).get("roc_auc", {})
        rows = found["test_months"]
        names = ("model", "logistic_regression", "rule", "oracle")
        table.add_row(task, f"{rows['positives']} of {rows['rows']}", *(_interval(areas.get(name)) for name in names))
    if table.row_count:
        yield table
    yield from others


def staying_table(task: str, found: dict) -> Table:
    """What the probabilities of staying are worth, for a person."""
    area = _interval(found["concordance"])
    title = f"{task}: {found['rows']:,} customers, {found['positives']:,} left; concordance {area}"
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in ("days", "expected to stay", "stayed (95 % interval)"):
        table.add_column(name)
    for line in found["horizons"]:
        table.add_row(str(line["days"]), f"{line['expected']:.3f}", _interval(line["observed"]))
    return table


def uplift_table(task: str, found: dict) -> Table:
    """What an uplift model is worth, for a person."""
    effect = found["average_effect"]
    title = (
        f"{task}: {found['rows']:,} customers of the last campaign, {found['treated']:,} called; calls kept "
        f"{effect['value']:.2%} ({effect['low']:.2%} to {effect['high']:.2%})"
    )
    if "true_effect" in found:
        title += f", truly {found['true_effect']:.2%}"
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in ("ranked by", "Qini (95 % interval)", "the model's is higher by"):
        table.add_column(name)
    for name, area in found["qini"].items():
        table.add_row(name, _interval(area), _interval(found["model_gain"].get(name)))
    return table


def evaluation_tables(found: dict) -> Iterator[Table | str]:
    """An evaluation of a table of one's own, for a person."""
    yield (
        f"[bold]{found['task_name']}[/]  {found['rows']:,} rows, {found['positives']:,} with the outcome "
        f"({found['base_rate']:.1%}); {len(found['features'])} features\n{found['split']}"
    )
    for leak in (*found["leaks"], *found["suspects"]):
        yield f"[bold red]left out[/] {leak['feature']}: {leak['why']}; ROC AUC alone {leak['roc_auc']:.3f}"
    if "figures_with_leaks" in found:
        yield f"  with them the ROC AUC would have been {_interval(found['figures_with_leaks']['roc_auc'])}"
    for name, why in found["dropped"].items():
        yield f"[dim]not used[/] {name}: {why}"
    for note in found["notes"]:
        yield f"[dim]note[/] {note}"
    for warning in found["warnings"]:
        yield f"[yellow]look at this[/] {warning}"
    table = Table(title="On rows not seen (95 % interval)", title_justify="left", title_style="bold")
    names = list(found["figures"]["model"])
    for name in ("", *found["figures"]):
        table.add_column(name.replace("_", " "))
    for name in names:
        table.add_row(name.replace("_", " "), *(_interval(figures.get(name)) for figures in found["figures"].values()))
    yield table
    yield f"model: {found['model'].replace('_', ' ')}: {found['why']}"
    direction = "more" if found["rule"]["sign"] > 0 else "less"
    yield f"one-line rule: {direction} {found['rule']['feature']} ranks first"
    yield (
        f"before calibration: Brier {_interval(found['before_calibration']['brier'])}, "
        f"log loss {_interval(found['before_calibration']['log_loss'])}"
    )
    for title, lines in {"month": found["by_month"], **found["segments"], **found["fairness"]}.items():
        if lines:
            yield _group_table(title, lines)


def monitor_tables(found: dict) -> Iterator[Table | str]:
    """What `c360 ml monitor` found, for a person."""
    yield f"model {found['model_version']} on {found['rows']:,} rows"
    table = Table(title="Drift since training", title_justify="left", title_style="bold")
    for name in ("feature", "stability index", "missing", "verdict"):
        table.add_column(name)
    for line in found["drift"][:20]:
        index, rise = f"{line['stability_index']:.3f}", f"{line['missing_rise']:+.1%}"
        table.add_row(line["feature"], index, rise, line["verdict"])
    yield table
    if not found["ripe"]:
        yield "calibration: no month that was scored has ripe labels yet"
        return
    table = Table(title="What was promised, what came", title_justify="left", title_style="bold")
    for name in ("as-of date", "rows", "observed", "expected", "ROC AUC"):
        table.add_column(name)
    for line in found["ripe"]:
        area = f"{line['roc_auc']:.3f}" if "roc_auc" in line else "-"
        table.add_row(
            str(line["as_of_date"]), str(line["rows"]), f"{line['observed']:.2%}", f"{line['expected']:.2%}", area
        )
    yield table


def _group_table(title: str, lines: list[dict]) -> Table:
    table = Table(title=f"By {title}", title_justify="left", title_style="bold")
    for name in ("group", "rows", "positives", "observed", "expected", "ROC AUC"):
        table.add_column(name)
    for line in lines:
        rates = f"{line['observed']:.1%}", f"{line['expected']:.1%}"
        table.add_row(
            line["group"], f"{line['rows']:,}", str(line["positives"]), *rates, _interval(line.get("roc_auc"))
        )
    return table


def _interval(figure: dict | None) -> str:
    return "-" if figure is None else f"{figure['value']:.3f} ({figure['low']:.3f}-{figure['high']:.3f})"


def task_quality(settings: Settings, truth: Path | None, task: str) -> dict:
    folder = newest_model(settings, task)
    if folder is None:
        return {"abstained": _last_abstention(settings, task)}
    card = json.loads((folder / "card.json").read_text())
    if load_tasks()[task].horizons:
        told = ("rows", "positives", "split", "horizons")
        return {"model_version": card["model_version"]} | card["figures"]["model"] | {name: card[name] for name in told}
    if load_tasks()[task].treatment:
        # scikit-learn takes seconds to import, which the other reports must not.
        from ml_jobs.quality.uplift import uplift_quality

        return {"model_version": card["model_version"], "why": card["why"]} | uplift_quality(settings, truth, task)
    quality = {
        "model_version": card["model_version"],
        "test_months": card["months"]["test"],
        "figures": card["figures"],
    }
    if truth is None or not has_hazard(truth, task):
        return quality
    return quality | {"oracle": oracle_auc(settings, truth, task)}


def _last_abstention(settings: Settings, task: str) -> str:
    kept = sorted((settings.lake / "models" / task / "abstentions").glob("[!.]*.json"))
    return json.loads(kept[-1].read_text())["reason"] if kept else "never scored: run the pipeline first"
