"""The group ``c360 ml``: draft a task, and train, evaluate, explain, promote, run and monitor its model."""

import re
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from c360.cli.output import Json, console, long_work, show, spoken, tell, write_page, writing
from lakehouse.errors import Stop

if TYPE_CHECKING:
    from lakehouse.settings import Settings
    from ml_jobs.learning.rows import Rows
    from ml_jobs.registry.model import Model
    from ml_jobs.task_file import Task

ml = typer.Typer(no_args_is_help=True, help="Scores by task file: train, evaluate, explain, promote and monitor.")

Name = Annotated[str, typer.Argument(help="A task of the bank (churn, ...), or the path of a task file.")]
Data = Annotated[Path | None, typer.Option(help="Parquet or delimited file; by default the table that the task names.")]
Day = Annotated[
    datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Business date; the last built one.")
]


@ml.command()
def new(
    name: Annotated[str, typer.Argument(help="Of the new task; the file is NAME.yml in this folder.")],
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Parquet or delimited file, also .gz.")],
    label: Annotated[str | None, typer.Option(help="The column to predict, if its name is not a usual one.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between fields; by default what divides the header.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Such as gb18030; by default UTF-8.")] = None,
) -> None:
    """Draft a task file from data: entity, label, what to leave out and why. Review it before use."""
    from ml_jobs.own_tables.drafting import draft
    from ml_jobs.task_file import TASK_NAME, Reading

    if not re.fullmatch(TASK_NAME, name):
        raise typer.BadParameter("letters a to z, digits and _, a letter first; not a path", param_hint="NAME")
    path = Path(f"{name}.yml")
    if path.exists():
        raise typer.BadParameter(f"{path} exists: remove it, or choose another name", param_hint="NAME")
    text = draft(_settings(), name, data, label, Reading(delimiter=delimiter, encoding=encoding))
    with writing(path):
        path.write_text(text, encoding="utf-8")
    typer.echo(text)
    tell("wrote {path}: review it, then `c360 ml evaluate {path}`", path=path)


@ml.command()
def evaluate(
    name: Name,
    data: Data = None,
    split: Annotated[Literal["time", "folds"] | None, typer.Option(help="Instead of what the task file says.")] = None,
    truth: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="A simulated bank's truth/: adds the oracle.")
    ] = None,
    html: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the report as a page, too.")] = None,
    json_: Json = False,
) -> None:
    """Evaluate a score on rows that it was not trained on, beside simpler scores; nothing is kept.

    A task of the bank: the figures of its newest model. A table of yours: a model is trained and evaluated here, by
    time if there is an as-of date, otherwise by repeated, stratified folds that keep groups together. Features that
    leak the outcome are named, and left out.
    """
    from ml_jobs.quality import report
    from ml_jobs.task_file import data_path, find_task

    task, path = find_task(name)
    if task.is_of_the_bank:
        quality = report.task_quality(_settings(), truth, task.task)
        show(quality, json_, lambda: report.quality_tables({task.task: quality}, spoken()))
        return
    from ml_jobs.own_tables.judging import evaluate as judged

    if split is not None:
        try:
            task = type(task).model_validate(task.model_dump() | {"split": task.split.model_dump() | {"scheme": split}})
        except ValueError as error:
            raise Stop(f"--split {split} does not suit {task.task}: {error}") from error
    settings = _settings()
    with long_work(settings.lake, f"ml evaluate {task.task}"):
        evaluation, _, _ = judged(settings, task, data_path(task, path, data))
    from ml_jobs.registry.card import html as page

    write_page(html, lambda: page(evaluation, spoken().language))
    show(evaluation, json_, lambda: report.evaluation_tables(evaluation, spoken()))


@ml.command()
def train(name: Name, data: Data = None, day: Day = None, json_: Json = False) -> None:
    """Train a model and keep it, signed, with its card; it stays a challenger until it is promoted."""
    from ml_jobs.task_file import data_path, find_task

    settings = _settings()
    task, path = find_task(name)
    if task.is_of_the_bank:
        from lakehouse.lake.dates import training_date
        from ml_jobs.scores.training import train as trained

        trained_on = training_date(_business_date(settings, day))
        with long_work(settings.lake, f"ml train {task.task}"):
            model = trained(settings, task, trained_on)
    else:
        from ml_jobs.own_tables.models import train_table

        with long_work(settings.lake, f"ml train {task.task}"):
            model = train_table(settings, task, data_path(task, path, data))
    card = model.card
    folder = settings.lake / "models" / task.task / card["model_version"]
    figures = {
        name: card["figures"]["model"][name]
        for name in ("roc_auc", "qini", "concordance")
        if name in card["figures"]["model"]
    }
    about = {"model_version": card["model_version"], "why": card["why"]}
    show(about | figures | {"card": str(folder / "card.html")}, json_)


@ml.command()
def promote(name: Name, day: Day = None, json_: Json = False) -> None:
    """Promote the newest model if the rule of the task file allows it; prints the decision and the reason."""
    from ml_jobs.task_file import find_task

    settings = _settings()
    task, _ = find_task(name)
    if task.is_of_the_bank:
        from lakehouse.lake.model_files import Known, in_force
        from ml_jobs.scores.promotion import decision

        known = Known.by(settings, _business_date(settings, day))
        outcome = decision(settings, task, in_force(settings, task.task, known))
    else:
        from ml_jobs.own_tables.models import promote as decided

        outcome = decided(settings, task)
    show(outcome, json_)


@ml.command()
def score(
    name: Name,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="Parquet file for the scores of a table of yours.")] = None,
    day: Day = None,
) -> None:
    """Score with the model in use: the bank's customers into the lake, or the rows of your table into a file."""
    from ml_jobs.task_file import data_path, find_task

    settings = _settings()
    task, path = find_task(name)
    if task.is_of_the_bank:
        from lakehouse.lake.model_files import Known
        from ml_jobs.scores.scoring import score as scored

        with long_work(settings.lake, f"ml score {task.task}"):
            scores = scored(settings, task.task, Known.by(settings, _business_date(settings, day)))
        console.print(str(scores))
        return
    import pyarrow.parquet as pq

    from ml_jobs.own_tables.delivered import read_rows
    from ml_jobs.own_tables.models import champion, score_rows

    delivered = read_rows(settings, task.table, data_path(task, path, data), task.reading)
    out = out or Path(f"{task.task}_scores.parquet")
    rows, remarks = score_rows(task, champion(settings, task), delivered)
    with writing(out):
        pq.write_table(rows, out, compression="zstd")
    for note in (*delivered.notes, *remarks):
        console.print(note, soft_wrap=True)
    tell("rows scored: {count}, in {path}", count=f"{len(rows):,}", path=out)


@ml.command()
def explain(
    name: Name,
    entity: Annotated[str, typer.Option(help="Whose score: a customer key, or a value of the entity column.")],
    data: Data = None,
    day: Day = None,
    json_: Json = False,
) -> None:
    """Why a score is what it is: contributions that add up to the margin (log odds before calibration)."""
    from c360.audit import note_views
    from ml_jobs.task_file import data_path, find_task, phrases

    settings = _settings()
    task, path = find_task(name)
    from ml_jobs.own_tables.models import champion, encode
    from ml_jobs.own_tables.models import explain as explain_row

    if task.is_of_the_bank:
        model, rows = _in_use(settings, task, _business_date(settings, day))
        values = rows.values[rows.customer == entity]
        note_views(settings, f"ml explain {task.task}", [entity])
    else:
        from ml_jobs.own_tables.delivered import read_rows
        from ml_jobs.own_tables.frames import entities

        model = champion(settings, task)
        delivered = read_rows(settings, task.table, data_path(task, path, data), task.reading)
        values = encode(task, model, delivered)[0][entities(task, delivered) == entity]
    if not len(values):
        raise Stop(f"--entity: there is no {entity}", "give a key that the model scores on that date")
    explanation = explain_row(model, values[:1])
    words = phrases(task)
    contributions = [
        {"feature": name, "push": push, "en": words[name].en if name in words else name}
        | ({"zh": words[name].zh} if name in words else {})
        for name, push in explanation["contributions"].items()
    ]
    show({**explanation, "contributions": contributions}, json_)


@ml.command()
def scorecard(
    name: Name,
    entity: Annotated[str | None, typer.Option(help="Customer key whose points; by default all.")] = None,
    day: Day = None,
    json_: Json = False,
) -> None:
    """Points of a score that add up: the table, or one customer's, with what would lift them out of the top band."""
    from ml_jobs.learning.scorecard import standing
    from ml_jobs.quality.points import points_tables, standing_tables
    from ml_jobs.task_file import find_task

    settings = _settings()
    task, _ = find_task(name)
    if not task.scorecard:
        raise Stop(f"{name} has no scorecard", "name its features and their directions under `scorecard` in its file")
    model, rows = _in_use(settings, task, _business_date(settings, day))
    points = model.card.get("points")
    if points is None:
        raise Stop(f"the model of {name} in use has no scorecard: it is older than its task file", "train it again")
    if entity is None:
        show(points, json_, lambda: points_tables(task, points, spoken()))
        return
    found = (rows.customer == entity).nonzero()[0]
    if not len(found):
        raise Stop(f"--entity: there is no {entity}", "give a key that the model scores on that date")
    stands = standing(points, rows.columns, rows.values, int(found[0]), task.bands.high)
    show(stands, json_, lambda: standing_tables(task, stands, spoken()))


@ml.command()
def monitor(name: Name, data: Data = None, day: Day = None, json_: Json = False) -> None:
    """Drift of features and scores since training (PSI, missing values), and calibration where labels are ripe."""
    from ml_jobs.learning.drift import feature_drift
    from ml_jobs.quality import report
    from ml_jobs.scores.data import labelled_months
    from ml_jobs.scores.monitoring import ripe_calibration
    from ml_jobs.task_file import data_path, find_task

    settings = _settings()
    task, path = find_task(name)
    if task.is_of_the_bank:
        business_date = _business_date(settings, day)
        model, rows = _in_use(settings, task, business_date)
        values = rows.values
        ripe = ripe_calibration(settings, task, business_date, labelled_months(settings, task, business_date))
    else:
        from ml_jobs.own_tables.delivered import read_rows
        from ml_jobs.own_tables.models import champion, encode_unchecked

        model, ripe = champion(settings, task), []
        delivered = read_rows(settings, task.table, data_path(task, path, data), task.reading)
        values = encode_unchecked(task, model, delivered)
    monitoring = {
        "model_version": model.card["model_version"],
        "rows": len(values),
        "drift": feature_drift(model.card["reference"], model.columns, values, model.margin(values)),
        "ripe": ripe,
    }
    show(monitoring, json_, lambda: report.monitor_tables(monitoring, spoken()))


def _settings() -> "Settings":
    from lakehouse.settings import Settings

    return Settings.from_env()


def _business_date(settings: "Settings", day: datetime | None) -> date:
    from lakehouse import warehouse

    if day is not None:
        return day.date()
    return warehouse.built_state(settings).business_date


def _in_use(settings: "Settings", task: "Task", business_date: date) -> "tuple[Model, Rows]":
    """The model of a bank's task that is used on the business date, and the rows that it scores."""
    from lakehouse.lake.model_files import Known
    from ml_jobs.scores.data import read_features
    from ml_jobs.scores.promotion import champion

    model = champion(settings, task, Known.by(settings, business_date))
    return model, read_features(settings, task, model.columns, business_date)
