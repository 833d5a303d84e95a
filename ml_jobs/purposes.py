"""For which purpose a score is, by the seed `purposes_of_use`.

Whoever refuses the purpose is neither learned from nor scored, from the day on which the bank knew of it.
"""

from lakehouse.errors import Stop
from lakehouse.sql import literal
from lakehouse.warehouse.seeds import load_seeds


def purpose_of(score: str) -> str:
    """The purpose of a score, or of the segments.

    Raises
    ------
    Stop
        If the seed does not say it: nobody could refuse what nobody has named.
    """
    rows = load_seeds()["purposes_of_use"].rows()
    found = [row["purpose"] for row in rows if (row["use_kind"], row["use_name"]) == ("score", score)]
    if len(found) != 1:
        raise Stop(
            f"dbt_project/seeds/purposes_of_use.csv does not say for which purpose the score {score} is",
            f"add a line score,{score},profiling, or another purpose of purposes.csv",
        )
    return found[0]


def not_refused(score: str, rows: str) -> str:
    """SQL over `build_features`: whether the customer of a row had not refused the score's purpose on its as-of date.

    Parameters
    ----------
    rows : str
        The table or alias with the columns ``customer_key`` and ``as_of_date``.
    """
    return f"""not exists (
        select 1
        from build_features.refused_purposes as refused
        where refused.customer_key = {rows}.customer_key
            and refused.as_of_date = {rows}.as_of_date
            and refused.purpose = {literal(purpose_of(score))}
    )"""
