"""The group ``c360 identity``: train the linkage model, and explain why it joins two records."""

from pathlib import Path
from typing import Annotated

import typer

from c360.cli.output import Lang, console, long_work, write_page
from lakehouse.errors import Stop
from lakehouse.language import Voice

identity = typer.Typer(no_args_is_help=True, help="The linkage model, and why it joins two records.")


@identity.command()
def train() -> None:
    """Train a new model on all records in the lake, as linkage.yml says: customers get new keys (a re-key)."""
    from lakehouse.identity.explain import latest_pin
    from lakehouse.identity.link import retrain
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    with long_work(settings.lake, "identity train"):
        model = retrain(settings, latest_pin(settings))
    if model is None:
        raise Stop("the records cannot support a model", "see training in lakehouse/identity/linkage.yml")
    console.print(f"model {model.version} compares {', '.join(model.columns)}; it holds from the next run on")


@identity.command()
def chart(out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("match_weights.html")) -> None:
    """What each agreement and each difference weighs in the current model."""
    from lakehouse.identity.explain import match_weights
    from lakehouse.settings import Settings

    write_page(out, lambda: match_weights(Settings.from_env()))
    console.print(f"written to {out}")


@identity.command()
def explain(
    left: Annotated[str, typer.Argument(help="Party record, such as cif:C100000001.")],
    right: Annotated[str, typer.Argument(help="Another one.")],
    out: Annotated[Path, typer.Option(help="HTML file to write; it shows personal data.")] = Path("waterfall.html"),
    lang: Lang = "en",
) -> None:
    """Why two party records are one customer or are not: a waterfall of the evidence."""
    from lakehouse.identity.explain import waterfall
    from lakehouse.settings import Settings

    write_page(out, lambda: waterfall(Settings.from_env(), left, right, Voice(lang)))
    console.print(f"written to {out}")
