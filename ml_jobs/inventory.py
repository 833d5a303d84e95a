"""The bank's inventory of models: what nobody answers for is not used."""

from lakehouse.warehouse.seeds import load_seeds
from ml_jobs.errors import CannotScore

ENTRIES = "model_inventory_entries"


def require_entry(model: str) -> None:
    """Let nothing pass that the inventory does not name.

    Raises
    ------
    CannotScore
        Naming the file that lacks the entry.
    """
    seed = load_seeds()[ENTRIES]
    if model not in {row["model"] for row in seed.rows()}:
        raise CannotScore(
            f"{model} has no entry in dbt_project/seeds/{seed.path.name}: say there what it is for, who answers for "
            "it, and what it must not be used for"
        )
