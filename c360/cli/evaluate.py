"""The group ``c360 evaluate``: scores, reasons, changes, recommendations, alerts and identities against what was."""

from pathlib import Path
from typing import Annotated

import typer

from c360.cli.output import Json, Target, show

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

    quality = score_quality(Settings.from_env(target=target), truth)
    show(quality, json_, lambda: quality_tables(quality))


@evaluate.command()
def recommendations(target: Target = None, json_: Json = False) -> None:
    """Recommendations of past month-ends against what was bought after: MAP, hit rate, coverage, diversity."""
    from lakehouse.settings import Settings
    from ml_jobs.quality import recommendations

    quality = recommendations.evaluate(Settings.from_env(target=target))
    show(quality, json_, lambda: recommendations.tables(quality))


@evaluate.command()
def reasons(target: Target = None, json_: Json = False) -> None:
    """Every published reason against the customer's figures, the model, and what similar customers have."""
    from lakehouse.settings import Settings
    from ml_jobs.quality import reasons

    quality = reasons.reason_quality(Settings.from_env(target=target))
    show(quality, json_, lambda: reasons.tables(quality))


@evaluate.command()
def changes(target: Target = None, json_: Json = False) -> None:
    """How many sentences about changes the rows confirm, and how much each kind says about what comes."""
    from lakehouse.settings import Settings
    from ml_jobs.quality import changes

    quality = changes.change_quality(Settings.from_env(target=target))
    show(quality, json_, lambda: changes.tables(quality))


@evaluate.command()
def alerts(
    truth: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The simulator's truth/ folder.")],
    target: Target = None,
    json_: Json = False,
) -> None:
    """Outflow alerts of the last 28 days against the planted large outflows: precision and recall, by rule."""
    from lakehouse.settings import Settings
    from ml_jobs.quality import alerts as module

    quality = module.evaluate(Settings.from_env(target=target), truth)
    show(quality, json_, lambda: module.tables(quality))


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
    quality = evaluate(settings, truth or settings.landing.parent / "truth")
    show(quality, json_, lambda: [quality_table(quality)])
