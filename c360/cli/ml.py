"""The commands under ``c360 ml``."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from c360.cli.output import Json, console, show, write_page
from lakehouse.errors import Stop

ml = typer.Typer(no_args_is_help=True, help="Scores: train, judge, explain, promote and watch them; by task file.")

Name = Annotated[str, typer.Argument(help="A task of the bank (churn, ...), or the path of a task file.")]
Data = Annotated[Path | None, typer.Option(help="Parquet or CSV file; by default the table that the task file names.")]
Day = Annotated[
    datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Business date; the last built one.")
]


@ml.command()
def new(
    name: Annotated[str, typer.Argument(help="Of the new task; the file is NAME.yml in this folder.")],
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Parquet or CSV file.")],
    label: Annotated[str | None, typer.Option(help="The column to predict, if its name does not tell.")] = None,
) -> None:
    """Draft a task file from data: entity, label, what to leave out and why. Look it over before use."""
    from ml_jobs.own_tables.drafting import draft

    path = Path(f"{name}.yml")
    if path.exists():
        raise typer.BadParameter(f"{path} exists: remove it, or choose another name", param_hint="NAME")
    text = draft(_settings(), name, data, label)
    path.write_text(text, encoding="utf-8")
    typer.echo(text)
    console.print(f"wrote {path}: look it over, then `c360 ml evaluate {path}`")


@ml.command()
def evaluate(
    name: Name,
    data: Data = None,
    split: Annotated[str | None, typer.Option(help="time or folds, instead of what the task file says.")] = None,
    truth: Annotated[Path | None, typer.Option(help="A simulated bank's truth/: adds the oracle.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page, too.")] = None,
    json_: Json = False,
) -> None:
    """Judge a score on rows that it has not seen, beside simpler scores; nothing is kept.

    A task of the bank: the figures of its newest model. A table of one's own: it is trained and judged here, by time if
    there is an as-of date, otherwise by repeated, stratified folds that keep groups together. Features that give the
    outcome away are called out by name, and do not count.
    """
    from ml_jobs.quality import report
    from ml_jobs.task_file import data_path, find_task

    task, path = find_task(name)
    if task.is_of_the_bank:
        found = report.task_quality(_settings(), truth, task.task)
        show(found, json_, lambda: report.quality_tables({task.task: found}))
        return
    from ml_jobs.own_tables.judging import evaluate as judged

    if split is not None:
        task = type(task).model_validate(task.model_dump() | {"split": task.split.model_dump() | {"scheme": split}})
    found, _, _ = judged(_settings(), task, data_path(task, path, data))
    from ml_jobs.registry.card import html as page

    write_page(html, lambda: page(found))
    show(found, json_, lambda: report.evaluation_tables(found))


@ml.command()
def train(name: Name, data: Data = None, day: Day = None, json_: Json = False) -> None:
    """Train a model and keep it, signed, with its card; it is a challenger until it is promoted."""
    from ml_jobs.task_file import data_path, find_task

    settings = _settings()
    task, path = find_task(name)
    if task.is_of_the_bank:
        from lakehouse.lake.dates import training_date
        from ml_jobs.scores.training import train as trained

        model = trained(settings, task, training_date(_business_date(settings, day)))
    else:
        from ml_jobs.own_tables.models import train_table

        model = train_table(settings, task, data_path(task, path, data))
    card = model.card
    folder = settings.lake / "models" / task.task / card["model_version"]
    worth = {
        name: card["figures"]["model"][name]
        for name in ("roc_auc", "qini", "concordance")
        if name in card["figures"]["model"]
    }
    found = {"model_version": card["model_version"], "why": card["why"]} | worth
    show(found | {"card": str(folder / "card.html")}, json_)


@ml.command()
def promote(name: Name, day: Day = None, json_: Json = False) -> None:
    """Let the newest model take over by the rule of the task file; say what was decided and why."""
    from ml_jobs.task_file import find_task

    settings = _settings()
    task, _ = find_task(name)
    if task.is_of_the_bank:
        from lakehouse.lake.model_files import Known, in_force
        from ml_jobs.scores.promotion import decision

        known = Known.by(settings, _business_date(settings, day))
        found = decision(settings, task, in_force(settings, task.task, known))
    else:
        from ml_jobs.own_tables.models import promote as decided

        found = decided(settings, task)
    show(found, json_)


@ml.command()
def score(
    name: Name,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="Parquet file for the scores of one's own table.")] = None,
    day: Day = None,
) -> None:
    """Score with the model in use: the bank's customers into the lake, or the rows of one's own table into a file."""
    from ml_jobs.task_file import data_path, find_task

    settings = _settings()
    task, path = find_task(name)
    if task.is_of_the_bank:
        from lakehouse.lake.model_files import Known
        from ml_jobs.scores.scoring import score as scored

        console.print(str(scored(settings, task.task, Known.by(settings, _business_date(settings, day)))))
        return
    import pyarrow.parquet as pq

    from ml_jobs.own_tables.frames import read_frame
    from ml_jobs.own_tables.models import champion, score_frame

    frame = read_frame(settings, task.table, data_path(task, path, data))
    out = out or Path(f"{task.task}_scores.parquet")
    pq.write_table(score_frame(task, champion(settings, task), frame), out, compression="zstd")
    console.print(f"scored {len(frame):,} rows: {out}")


@ml.command()
def explain(
    name: Name,
    entity: Annotated[str, typer.Option(help="Whose score: a customer key, or a value of the entity column.")],
    data: Data = None,
    day: Day = None,
    json_: Json = False,
) -> None:
    """Why a score is what it is: contributions that add up to the margin (log odds before calibration)."""
    from ml_jobs.task_file import data_path, find_task, phrases

    settings = _settings()
    task, path = find_task(name)
    from ml_jobs.own_tables.models import champion, encode
    from ml_jobs.own_tables.models import explain as explain_row

    if task.is_of_the_bank:
        model, rows = _in_use(settings, task, _business_date(settings, day))
        values = rows.values[rows.customer == entity]
    else:
        from ml_jobs.own_tables.frames import read_frame

        model = champion(settings, task)
        frame = read_frame(settings, task.table, data_path(task, path, data))
        own = frame.index.astype(str) if task.entity is None else frame[task.entity].astype(str)
        values = encode(task, model, frame[own == entity].reset_index(drop=True))
    if not len(values):
        raise Stop(f"--entity: there is no {entity}")
    explanation = explain_row(model, values[:1])
    words = phrases(task)
    contributions = [
        {"feature": name, "push": push, "en": words[name].en if name in words else name}
        | ({"zh": words[name].zh} if name in words else {})
        for name, push in explanation["contributions"].items()
    ]
    show({**explanation, "contributions": contributions}, json_)


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
        from ml_jobs.own_tables.frames import read_frame
        from ml_jobs.own_tables.models import champion, encode

        model, ripe = champion(settings, task), []
        values = encode(task, model, read_frame(settings, task.table, data_path(task, path, data)))
    found = {
        "model_version": model.card["model_version"],
        "rows": len(values),
        "drift": feature_drift(model.card["reference"], model.columns, values, model.margin(values)),
        "ripe": ripe,
    }
    show(found, json_, lambda: report.monitor_tables(found))


def _settings():
    from lakehouse.settings import Settings

    return Settings.from_env()


def _business_date(settings, day: datetime | None) -> date:
    from lakehouse import warehouse

    if day is not None:
        return day.date()
    return warehouse.built_state(settings).business_date


def _in_use(settings, task, business_date: date):
    """The model of a bank's task that is used on the business date, and the rows that it scores."""
    from lakehouse.lake.model_files import Known
    from ml_jobs.scores.data import read_features
    from ml_jobs.scores.promotion import champion

    model = champion(settings, task, Known.by(settings, business_date))
    return model, read_features(settings, task, model.columns, business_date)
