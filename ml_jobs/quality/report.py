"""Quality of the scores, per task: the model beside simpler scores and, with a simulator's truth, the oracle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from rich.table import Table
from rich.text import Text

from lakehouse.lake.model_files import newest_model
from lakehouse.language import ENGLISH, Voice
from lakehouse.settings import Settings
from ml_jobs.learning.calibration import Promise, top_decile, verdict
from ml_jobs.quality.oracle import OracleFigures, has_hazard, oracle_auc
from ml_jobs.task_file import load_tasks, task_named

if TYPE_CHECKING:  # scikit-learn takes seconds to import; a report of abstentions or figures on cards needs none of it
    from ml_jobs.learning.drift import Drift
    from ml_jobs.learning.evaluation import GroupFigures
    from ml_jobs.learning.metrics import Figure
    from ml_jobs.learning.survival import HorizonFigures
    from ml_jobs.registry.card import Card, Months
    from ml_jobs.scores.monitoring import RipeMonth


class TaskQuality(TypedDict, total=False):
    """Figures of a task's newest model on its test rows; or ``abstained``, the reason why there is none.

    A survival task has ``concordance`` and ``horizons``, an uplift task ``qini`` and what `uplift.UpliftFigures` says,
    every other task ``figures`` as on its card.
    """

    abstained: str
    model_version: str
    test_months: Months
    promises: list[Promise]  # by part of the list, on the test rows; of an uplift task the effect
    figures: dict[str, dict[str, Figure]]
    oracle: OracleFigures  # with a truth
    rows: int
    positives: int
    split: str
    concordance: Figure
    horizons: list[HorizonFigures]
    why: str
    treated: int
    average_effect: Figure
    qini: dict[str, Figure]
    model_gain: dict[str, Figure]
    true_effect: float


class MonitorReport(TypedDict):
    """What `c360 ml monitor` reports."""

    model_version: str
    rows: int
    drift: list[Drift]
    ripe: list[RipeMonth]


def score_quality(settings: Settings, truth: Path | None = None) -> dict[str, TaskQuality]:
    """Figures of every task's newest model on its test rows, or why the task abstains, by task.

    Parameters
    ----------
    truth : Path or None
        The simulator's ``truth/``, whose true hazards are the oracle; None without it, as with a real bank.
    """
    return {task: task_quality(settings, truth, task) for task in load_tasks()}


def quality_tables(quality: dict[str, TaskQuality], say: Voice = ENGLISH) -> Iterator[Table | Text]:
    """`score_quality` for a person: one line per abstention, then the tables."""
    table = _table(
        say("Scores: ROC AUC on untouched rows (95 % interval)"),
        ("score", "positives", "model", "logistic regression", "one-line rule", "oracle (true hazards)"),
    )
    others = []
    for task, report in quality.items():
        if "abstained" in report:
            yield Text.assemble((task_named(task, say), "bold"), f" {say('abstains')}: {say(report['abstained'])}")
            continue
        if "qini" in report or "concordance" in report:
            others.append((uplift_table if "qini" in report else survival_table)(task, report, say))
            continue
        areas = {name: figures["roc_auc"] for name, figures in report["figures"].items()}
        if "oracle" in report:
            areas |= report["oracle"]["roc_auc"]
        rows = report["test_months"]
        names = ("model", "logistic_regression", "rule", "oracle")
        found = say("{part} of {whole}", part=rows["positives"], whole=rows["rows"])
        table.add_row(task_named(task, say), found, *(_interval(areas.get(name)) for name in names))
    if table.row_count:
        yield table
    if (promised := promise_table(quality, say)).row_count:
        yield promised
    yield from others


def promise_table(quality: dict[str, TaskQuality], say: Voice = ENGLISH) -> Table:
    """The top decile of every list: what was promised, what came, and what is true where a truth knows it."""
    columns = (
        "score",
        "promised",
        "observed (95 % interval)",
        "as quarters differ",
        "",
        "true",
        "Gini of the oracle's",
        "newest: promised, true",
    )
    table = _table(say("The top decile of the lists, on untouched rows"), columns)
    for task, report in quality.items():
        for line in top_decile(report.get("promises", [])):
            oracle = report.get("oracle")
            table.add_row(task_named(task, say), *_promise(line, say), *(_truth(oracle) if oracle else ("-", "-", "-")))
        for horizon in report.get("horizons", []):
            name = say("{task}, {days} days", task=task_named(task, say), days=horizon["days"])
            table.add_row(name, *_promise(horizon["top"], say), "-", "-", "-")
    return table


def _promise(line: Promise, say: Voice) -> tuple[str, str, str, str]:
    """The promise, the observed share with its interval, that of quarters, and whether the promise holds."""
    observed = f"{line['observed']:.1%} ({line['low']:.1%}-{line['high']:.1%})"
    known = "quarter_low" in line and "quarter_high" in line
    quarter = f"{line['quarter_low']:.1%}-{line['quarter_high']:.1%}" if known else "-"
    return f"{line['promised']:.1%}", observed, quarter, say(verdict(line))


def _truth(oracle: OracleFigures) -> tuple[str, str, str]:
    newest = oracle.get("newest_scores")
    share = f"{oracle['gini_of_oracle']['model']['value']:.2f}"
    return (
        f"{oracle['top_decile']['true']:.1%}",
        share,
        f"{newest['promised']:.1%}, {newest['true']:.1%}" if newest else "-",
    )


def survival_table(task: str, report: TaskQuality, say: Voice = ENGLISH) -> Table:
    """The backtest of a survival model, for a person."""
    area = _interval(report["concordance"])
    title = say(
        "{task}: {count} customers, {left} left; concordance {area}",
        task=task_named(task, say),
        count=f"{report['rows']:,}",
        left=f"{report['positives']:,}",
        area=area,
    )
    table = _table(title, ("days", "expected to stay", "stayed (95 % interval)"))
    for line in report["horizons"]:
        table.add_row(str(line["days"]), f"{line['expected']:.3f}", _interval(line["observed"]))
    return table


def uplift_table(task: str, report: TaskQuality, say: Voice = ENGLISH) -> Table:
    """The quality of an uplift model, for a person."""
    effect = report["average_effect"]
    title = say(
        "{task}: {count} customers of the last campaign, {called} called; calls kept {kept} ({low} to {high})",
        task=task_named(task, say),
        count=f"{report['rows']:,}",
        called=f"{report['treated']:,}",
        kept=f"{effect['value']:.2%}",
        low=f"{effect['low']:.2%}",
        high=f"{effect['high']:.2%}",
    )
    if "true_effect" in report:
        title = say.listed([title, say("truly {share}", share=f"{report['true_effect']:.2%}")])
    table = _table(title, ("ranked by", "Qini (95 % interval)", "the model's is higher by"))
    for name, area in report["qini"].items():
        table.add_row(say.code(name), _interval(area), _interval(report["model_gain"].get(name)))
    return table


def evaluation_tables(report: Card, say: Voice = ENGLISH) -> Iterator[Table | Text | str]:
    """An evaluation of a user's table, for a person."""
    yield Text.assemble(
        (report["task_name"], "bold"),
        "  ",
        say(
            "{rows} rows, {positives} with the outcome ({share}); {features} features",
            rows=f"{report['rows']:,}",
            positives=f"{report['positives']:,}",
            share=f"{report['base_rate']:.1%}",
            features=len(report["features"]),
        ),
        f"\n{say(report['split'])}",
    )
    yield from _columns_left_out(report, say)
    for note in report["notes"]:
        yield Text.assemble((say("note"), "dim"), f" {note}")
    for warning in report["warnings"]:
        yield Text.assemble((say("look at this"), "yellow"), f" {warning}")
    scores = report["figures"]
    table = _table(say("On rows not seen (95 % interval)"), ("", *scores))
    for name in scores["model"]:
        table.add_row(say.code(name), *(_interval(figures.get(name)) for figures in scores.values()))
    yield table
    yield f"{say('model')}: {say.code(report['model'])}: {say(report['why'])}"
    more = say("one-line rule: more {feature} ranks first", feature=report["rule"]["feature"])
    less = say("one-line rule: less {feature} ranks first", feature=report["rule"]["feature"])
    yield more if report["rule"]["sign"] > 0 else less
    before = {name: _interval(report["before_calibration"][name]) for name in ("brier", "log_loss")}
    yield say("before calibration: Brier {brier}, log loss {log_loss}", **before)
    for title, lines in {"month": report["by_month"], **report["segments"], **report["fairness"]}.items():
        if lines:
            yield _group_table(title, lines, say)


def _columns_left_out(report: Card, say: Voice) -> Iterator[Text | str]:
    """Columns that are not features, and why; what leaks would have changed."""
    for leak in (*report["leaks"], *report["suspects"]):
        alone = say("ROC AUC alone {area}", area=f"{leak['roc_auc']:.3f}")
        yield Text.assemble((say("left out"), "bold red"), f" {leak['feature']}: {say(leak['why'])}; {alone}")
    if "figures_with_leaks" in report:
        area = _interval(report["figures_with_leaks"]["roc_auc"])
        yield f"  {say('with them the ROC AUC would have been {area}', area=area)}"
    for name, why in report["dropped"].items():
        yield Text.assemble((say("not used"), "dim"), f" {name}: {say(why)}")


def monitor_tables(report: MonitorReport, say: Voice = ENGLISH) -> Iterator[Table | str]:
    """Drift and calibration, for a person."""
    yield say("model {version} on {count} rows", version=report["model_version"], count=f"{report['rows']:,}")
    table = _table(say("Drift since training"), ("feature", "stability index", "missing", "verdict"))
    for line in report["drift"][:20]:
        index, rise = f"{line['stability_index']:.3f}", f"{line['missing_rise']:+.1%}"
        table.add_row(line["feature"], index, rise, say.code(line["verdict"]))
    yield table
    if not report["ripe"]:
        yield say("calibration: no month that was scored has ripe labels yet")
        return
    of_top = ("top decile: promised", "observed", "quarters", "")
    columns = ("as-of date", "rows", "observed", "expected", "ROC AUC", *of_top)
    table = _table(say("What was promised, what came"), columns)
    for line in report["ripe"]:
        area = f"{line['roc_auc']:.3f}" if "roc_auc" in line else "-"
        rates = f"{line['observed']:.2%}", f"{line['expected']:.2%}"
        top = [text for part in top_decile(line["promises"]) for text in _promise(part, say)]
        table.add_row(str(line["as_of_date"]), str(line["rows"]), *rates, area, *top)
    yield table


def _table(title: str, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in columns:
        table.add_column(name)
    return table


def _group_table(title: str, lines: list[GroupFigures], say: Voice) -> Table:
    table = _table(
        say("By {name}", name=say.heading(title)), ("group", "rows", "positives", "observed", "expected", "ROC AUC")
    )
    for line in lines:
        rates = f"{line['observed']:.1%}", f"{line['expected']:.1%}"
        table.add_row(
            say.name(line["group"]), f"{line['rows']:,}", str(line["positives"]), *rates, _interval(line.get("roc_auc"))
        )
    return table


def _interval(figure: Figure | None) -> str:
    return "-" if figure is None else f"{figure['value']:.3f} ({figure['low']:.3f}-{figure['high']:.3f})"


def task_quality(settings: Settings, truth: Path | None, task: str) -> TaskQuality:
    """Figures of the task's newest model on its test rows, or why the task abstains; see `score_quality`."""
    folder = newest_model(settings, task)
    if folder is None:
        return {"abstained": _last_abstention(settings, task)}
    card: Card = json.loads((folder / "card.json").read_text())
    described = load_tasks()[task]
    if described.horizons:
        return {
            "model_version": card["model_version"],
            "concordance": card["figures"]["model"]["concordance"],
            "rows": card["rows"],
            "positives": card["positives"],
            "split": card["split"],
            "horizons": card["horizons"],
        }
    if described.treatment:
        from ml_jobs.quality.uplift import uplift_quality  # imports scikit-learn, which takes seconds

        figures = uplift_quality(settings, truth, described, folder)
        promises = card.get("promises", [])
        return {"model_version": card["model_version"], "why": card["why"], "promises": promises, **figures}
    quality: TaskQuality = {
        "model_version": card["model_version"],
        "test_months": card["months"]["test"],
        "figures": card["figures"],
        "promises": card.get("promises", []),
    }
    if truth is not None and has_hazard(truth, task):
        quality["oracle"] = oracle_auc(settings, truth, task)
    return quality


def _last_abstention(settings: Settings, task: str) -> str:
    abstentions = sorted((settings.lake / "models" / task / "abstentions").glob("[!.]*.json"))
    return json.loads(abstentions[-1].read_text())["reason"] if abstentions else "never scored: run the pipeline first"
