"""The group ``c360 evaluate``: scores, reasons, changes, recommendations, alerts and identities against what was."""

from pathlib import Path
from typing import Annotated

import typer

from c360.cli.output import Json, Target, long_work, show, spoken

evaluate = typer.Typer(
    no_args_is_help=True,
    help="Hold scores, reasons, changes, recommendations, alerts and identities against what was.",
)


@evaluate.command()
def scores(
    truth: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="A simulated bank's truth/: adds the oracle.")
    ] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Model, baseline and oracle on the test rows, and what the top of each list was promised, with intervals."""
    from lakehouse.settings import Settings
    from ml_jobs.quality.report import quality_tables, score_quality

    settings = Settings.from_env(target=target)
    with long_work(settings.lake, "evaluate"):
        quality = score_quality(settings, truth)
    show(quality, json_, lambda: quality_tables(quality, spoken()))


@evaluate.command()
def recommendations(target: Target = None, json_: Json = False) -> None:
    """Recommendations of past month-ends against what was bought after: MAP, hit rate, coverage, diversity."""
    from lakehouse.settings import Settings
    from ml_jobs.quality import recommendations

    settings = Settings.from_env(target=target)
    with long_work(settings.lake, "evaluate"):
        quality = recommendations.evaluate(settings)
    show(quality, json_, lambda: recommendations.tables(quality, spoken()))


@evaluate.command()
def reasons(target: Target = None, json_: Json = False) -> None:
    """Every published reason against the customer's figures, the model, and what similar customers have."""
    from lakehouse.settings import Settings
    from ml_jobs.quality import reasons

    settings = Settings.from_env(target=target)
    with long_work(settings.lake, "evaluate"):
        quality = reasons.reason_quality(settings)
    show(quality, json_, lambda: reasons.tables(quality, spoken()))


@evaluate.command()
def changes(target: Target = None, json_: Json = False) -> None:
    """How many sentences about changes the rows confirm, and how much each kind says about what comes."""
    from lakehouse.settings import Settings
    from ml_jobs.quality import changes

    settings = Settings.from_env(target=target)
    with long_work(settings.lake, "evaluate"):
        quality = changes.change_quality(settings)
    show(quality, json_, lambda: changes.tables(quality, spoken()))


@evaluate.command()
def alerts(
    truth: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The simulator's truth/ folder.")],
    target: Target = None,
    json_: Json = False,
) -> None:
    """Outflow alerts of the last 28 days against the planted large outflows: precision and recall, by rule."""
    from lakehouse.settings import Settings
    from ml_jobs.quality import alerts as module

    settings = Settings.from_env(target=target)
    with long_work(settings.lake, "evaluate"):
        quality = module.evaluate(settings, truth)
    show(quality, json_, lambda: module.tables(quality, spoken()))


@evaluate.command("identity")
def evaluate_identity(
    truth: Annotated[
        Path | None,
        typer.Option(exists=True, help="CSV of record id and person id, or truth/; by default the one beside landing."),
    ] = None,
    landing: Annotated[Path | None, typer.Option(help="Landing folder; by default C360_LANDING.")] = None,
    json_: Json = False,
) -> None:
    """Take in what has landed, join it, and compare customers with true persons: precision, recall, F1."""
    from lakehouse.identity.evaluation import evaluate, quality_table
    from lakehouse.settings import Settings

    settings = Settings.from_env(landing=landing)
    with long_work(settings.lake, "evaluate"):
        quality = evaluate(settings, truth or settings.landing.parent / "truth")
    show(quality, json_, lambda: [quality_table(quality, spoken())])
